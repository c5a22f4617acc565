//! Where settings come from, and which of them wins.
//!
//! From weakest to strongest: zoo.cfg, `java.env` beside it (and `zookeeper-env.sh`),
//! `SERVER_JVMFLAGS` and `JVMFLAGS` of the environment, the command line. Of equals the
//! later wins, as in Java.
//!
//! # Invariants
//!
//! * Files are read by the caller's [`Files`]; nothing here touches the world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::limits::CONFIG_MAX_BYTES;

use super::credentials;
use super::finding::{Findings, Place};
use super::flags::{Flag, parse_flags, parse_property};
use super::keys::{self, Key, PREFIX};
use super::properties::{BadProperties, Entry, decode_text, parse_properties};
use super::shell::parse_assignments;

/// How the loader reads files.
pub trait Files {
    /// The content of a file of at most `limit` bytes (one more, if it is longer), or
    /// `None` if there is none.
    ///
    /// # Errors
    ///
    /// The system's words for why it cannot be read.
    fn read(&self, path: &Path, limit: usize) -> Result<Option<Vec<u8>>, String>;
}

/// What the server is started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// A zoo.cfg.
    File(PathBuf),
    /// Java's other form: `port dataDir [tickTime [maxClientCnxns]]`.
    Arguments(Vec<String>),
}

/// Everything the loader starts from.
#[derive(Debug, Clone)]
pub struct Request {
    /// zoo.cfg or arguments.
    pub invocation: Invocation,
    /// Properties of the command line, `name=value` with or without `-D`.
    pub properties: Vec<String>,
    /// The environment; only variables with a row in the table of keys, and those that
    /// `java.env` mentions, are looked at.
    pub environment: BTreeMap<String, String>,
}

impl Request {
    /// A zoo.cfg and nothing else.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Request {
            invocation: Invocation::File(path.into()),
            properties: Vec::new(),
            environment: BTreeMap::new(),
        }
    }
}

/// How a setting was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// A key of zoo.cfg.
    Key(String),
    /// A system property.
    Property(String),
}

impl Name {
    /// The text as it was written.
    pub fn text(&self) -> &str {
        match self {
            Name::Key(text) | Name::Property(text) => text,
        }
    }

    /// The row it belongs to with the id its value goes by, and whether it is only a
    /// fallback for a property with ZooKeeper's prefix.
    pub fn resolve(&self) -> Option<(&'static Key, String, bool)> {
        match self {
            Name::Key(name) => {
                let prefixed = || keys::by_property(&format!("{PREFIX}{name}"));
                let unprefixed = || keys::by_property(name).filter(|k| k.name.is_empty());
                let key = keys::by_name(name).or_else(prefixed).or_else(unprefixed)?;
                let id = if key.family().is_some() { name } else { key.id() };
                Some((key, id.to_owned(), false))
            }
            Name::Property(name) => {
                let key = keys::by_property(name)?;
                let id = match key.family() {
                    Some(_) => name.strip_prefix(PREFIX).unwrap_or(name),
                    None => key.id(),
                };
                let fallback = key.name.is_empty() && keys::by_name(name).is_some();
                Some((key, id.to_owned(), fallback))
            }
        }
    }
}

/// One setting as somebody wrote it.
#[derive(Clone)]
pub struct Raw {
    /// How it was named.
    pub name: Name,
    /// Its text, trimmed. May be a secret.
    pub text: String,
    /// Where it stands.
    pub place: Place,
    /// See [`Entry::lost_backslash`].
    pub lost_backslash: bool,
}

/// A JVM flag that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IgnoredFlag {
    /// Where it stands.
    pub source: String,
    /// The flag; values behind `=` are left out.
    pub flag: String,
}

/// All settings in the order of their strength, weakest first.
#[derive(Default)]
pub struct Collected {
    /// The settings.
    pub raws: Vec<Raw>,
    /// Flags without meaning.
    pub ignored: Vec<IgnoredFlag>,
    /// Where systemd has put credentials for this process.
    pub credentials: Option<String>,
}

/// Source name of command line arguments in findings.
pub const COMMAND_LINE: &str = "command line";

const ENVIRONMENT_FILES: [&str; 2] = ["zookeeper-env.sh", "java.env"];
const AUTOCREATE_DISABLE: &str = "ZOO_DATADIR_AUTOCREATE_DISABLE";
/// In the order in which Java's start script puts them on its command line.
const FLAG_VARIABLES: [&str; 2] = ["SERVER_JVMFLAGS", "JVMFLAGS"];

/// A variable's value, and the line of its assignment in a file.
struct Assigned(String, Option<usize>);

impl Collected {
    /// Collects from all sources; what cannot be read becomes a finding.
    pub fn gather(request: &Request, files: &dyn Files, findings: &mut Findings) -> Self {
        let mut all = Collected::default();
        match &request.invocation {
            Invocation::File(path) => {
                for entry in read_properties(path, files, findings).unwrap_or_default() {
                    all.add_entry(entry, &path.display().to_string());
                }
                let folder = path.parent().unwrap_or(Path::new(""));
                for name in ENVIRONMENT_FILES {
                    all.add_environment_file(&folder.join(name), request, files, findings);
                }
            }
            Invocation::Arguments(_) => {}
        }
        let variable = |name: &str| Some(Assigned(request.environment.get(name)?.clone(), None));
        all.add_variables(&variable, None);
        if let Invocation::Arguments(arguments) = &request.invocation {
            all.add_arguments(arguments, findings);
        }
        for text in &request.properties {
            let (name, text) = parse_property(text);
            all.add(Name::Property(name), text, Place::whole(COMMAND_LINE));
        }
        credentials::resolve(&mut all, request, findings);
        all
    }

    /// The last value of a system property, or the directory of credentials, for `${name}` in other files.
    pub fn property(&self, name: &str) -> Option<&str> {
        if name == credentials::VARIABLE {
            return self.credentials.as_deref();
        }
        let named = |raw: &&Raw| matches!(&raw.name, Name::Property(p) if p == name);
        self.raws.iter().rev().find(named).map(|raw| raw.text.as_str())
    }

    fn add(&mut self, name: Name, text: String, place: Place) {
        self.raws.push(Raw { name, text, place, lost_backslash: false });
    }

    fn add_entry(&mut self, entry: Entry, source: &str) {
        self.raws.push(Raw {
            name: Name::Key(entry.key),
            text: entry.value,
            place: Place::line(source, entry.line),
            lost_backslash: entry.lost_backslash,
        });
    }

    /// `port dataDir [tickTime [maxClientCnxns]]`.
    fn add_arguments(&mut self, arguments: &[String], findings: &mut Findings) {
        let place = Place::whole(COMMAND_LINE);
        if !(2..=4).contains(&arguments.len()) {
            let what = format!("{} arguments where 1 to 4 are expected", arguments.len());
            let cure = "give a configuration file, or: port dataDir [tickTime [maxClientCnxns]]";
            findings.error(&place, "", what, cure);
            return;
        }
        // Without a file there is no limit unless one is given.
        self.add(Name::Key("maxClientCnxns".to_owned()), "0".to_owned(), place.clone());
        for (key, text) in ["clientPort", "dataDir", "tickTime", "maxClientCnxns"].iter().zip(arguments) {
            self.add(Name::Key((*key).to_owned()), text.trim().to_owned(), place.clone());
        }
    }

    /// `java.env` or `zookeeper-env.sh`.
    fn add_environment_file(
        &mut self,
        path: &Path,
        request: &Request,
        files: &dyn Files,
        findings: &mut Findings,
    ) {
        let source = path.display().to_string();
        let bytes = match files.read(path, CONFIG_MAX_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(why) => {
                let cure = "make it readable or move it away";
                findings.error(&Place::whole(&source), "", why, cure);
                return;
            }
        };
        let environment = |name: &str| request.environment.get(name).cloned();
        let assignments =
            decode_text(&bytes).ok().and_then(|text| parse_assignments(&text, &environment).ok());
        let Some(assignments) = assignments else {
            let what = format!("longer than {CONFIG_MAX_BYTES} bytes");
            findings.error(&Place::whole(&source), "", what, "move it away");
            return;
        };
        for (line, why) in &assignments.skipped {
            findings.warn(&Place::line(&source, *line), "", *why, "settings made there are not seen");
        }
        let variable = |name: &str| {
            let (text, line) = assignments.vars.get(name)?;
            Some(Assigned(text.clone(), Some(*line)))
        };
        self.add_variables(&variable, Some(&source));
    }

    /// Takes the variables that carry settings; `file` names where they are assigned,
    /// `None` is the environment itself.
    fn add_variables(&mut self, variable: &dyn Fn(&str) -> Option<Assigned>, file: Option<&str>) {
        let place = |name: &str, line| Place { source: file.unwrap_or(name).to_owned(), line };
        if let Some(Assigned(_, line)) = variable(AUTOCREATE_DISABLE).filter(|v| !v.0.is_empty()) {
            let name = Name::Property("zookeeper.datadir.autocreate".to_owned());
            self.add(name, "false".to_owned(), place(AUTOCREATE_DISABLE, line));
        }
        for name in FLAG_VARIABLES {
            let Some(Assigned(text, line)) = variable(name) else { continue };
            let place = place(name, line);
            for flag in parse_flags(&text) {
                match flag {
                    Flag::Property { name, value } => {
                        self.add(Name::Property(name), value, place.clone());
                    }
                    Flag::Ignored(flag) => {
                        self.ignored.push(IgnoredFlag { source: place.to_string(), flag });
                    }
                }
            }
        }
    }
}

/// Reads a properties file that has to be there; faults become findings.
pub fn read_properties(path: &Path, files: &dyn Files, findings: &mut Findings) -> Option<Vec<Entry>> {
    let place = Place::whole(&path.display().to_string());
    let bytes = match files.read(path, CONFIG_MAX_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            findings.error(&place, "", "there is no such file", "give the path of a configuration");
            return None;
        }
        Err(why) => {
            findings.error(&place, "", why, "make it readable for the user the server runs as");
            return None;
        }
    };
    match parse_properties(&bytes) {
        Ok(entries) => Some(entries),
        Err(BadProperties::TooLarge(size)) => {
            let what = format!("{size} bytes or more, where a configuration has at most {CONFIG_MAX_BYTES}");
            findings.error(&place, "", what, "give the path of a configuration");
            None
        }
        Err(BadProperties::BadEscape(line)) => {
            let place = Place { line: Some(line), ..place };
            let cure = "write four hexadecimal digits behind it, or \\\\u for a backslash and a u";
            findings.error(&place, "", "a broken \\u escape", cure);
            None
        }
    }
}

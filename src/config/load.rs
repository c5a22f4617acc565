//! From a request to settings, findings and a report on every key.
//!
//! # Invariants
//!
//! * Settings exist exactly when no finding is an error.
//! * Of several settings of one key, one wins and the others are reported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::limits::CONFIG_MAX_BYTES;

use super::finding::{Findings, Place};
use super::given::Given;
use super::jaas::{Jaas, parse_jaas};
use super::keys::{self, DOCUMENTED_ALIASES, Key, Kind, PREFIX};
use super::nearest::nearest;
use super::properties::{Entry, decode_text};
use super::quorum::{self, Ensemble, version_of_file_name};
use super::report::{KeyReport, Verdict};
use super::rules;
use super::secret::Secret;
use super::secret_files;
use super::settings::Settings;
use super::sources::{Collected, Files, IgnoredFlag, Invocation, Name, Raw, Request, read_properties};
use super::values::{Checked, Value, check, default_of};

/// What came of a request.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The settings, if nothing stops the start.
    pub settings: Option<Settings>,
    /// Everything worth saying.
    pub findings: Findings,
    /// What became of every setting.
    pub keys: Vec<KeyReport>,
    /// JVM flags that mean nothing here.
    pub ignored_flags: Vec<IgnoredFlag>,
    /// The JAAS file, if one is named and readable.
    pub jaas: Option<Arc<Jaas>>,
    /// Data directory and log directory, whatever else is wrong.
    pub directories: Option<(PathBuf, PathBuf)>,
}

/// Unknown keys that get a neighbour looked up; a file with more is not a zoo.cfg.
const SUGGESTIONS: usize = 100;

/// Loads a configuration. Never fails: what is wrong stands in the findings.
pub fn load(request: &Request, files: &dyn Files) -> Loaded {
    let mut loader = Loader {
        files,
        out: Loaded::default(),
        given: Given::default(),
        unknown: BTreeMap::new(),
        written: BTreeMap::new(),
    };
    let mut collected = Collected::gather(request, files, &mut loader.out.findings);
    if matches!(request.invocation, Invocation::File(_)) && collected.raws.is_empty() {
        // Unreadable or empty: further findings would only hide the first.
        if loader.out.findings.has_errors() {
            return loader.out;
        }
    }
    loader.out.ignored_flags = std::mem::take(&mut collected.ignored);
    loader.take_all(&collected.raws);
    let mut settings = Settings::read(&loader.given);
    settings.properties = std::mem::take(&mut loader.unknown);
    settings.written = std::mem::take(&mut loader.written);
    let storage = &settings.storage;
    loader.out.directories =
        loader.given.has("dataDir").then(|| (storage.data_dir.clone(), storage.data_log_dir.clone()));
    loader.members(request, &collected.raws, &mut settings);
    loader.my_id(&mut settings);
    rules::check_all(&loader.given, &mut settings, &mut loader.out.findings);
    loader.jaas(&collected, &mut settings);
    settings.secret_files = secret_files::named(&loader.out, &settings);
    loader.mark_wrong();
    if !loader.out.findings.has_errors() {
        loader.out.settings = Some(settings);
    }
    loader.out
}

struct Loader<'a> {
    files: &'a dyn Files,
    out: Loaded,
    given: Given,
    unknown: BTreeMap<String, Secret>,
    written: BTreeMap<String, String>,
}

/// A setting with its row.
struct Known<'a> {
    raw: &'a Raw,
    key: &'static Key,
    fallback: bool,
}

impl Loader<'_> {
    /// Sorts settings by key, picks the winners and checks them.
    fn take_all(&mut self, raws: &[Raw]) {
        let mut by_id: BTreeMap<String, Vec<Known>> = BTreeMap::new();
        for raw in raws {
            match raw.name.resolve() {
                Some((key, id, fallback)) => {
                    by_id.entry(id).or_default().push(Known { raw, key, fallback });
                }
                None => self.stranger(raw),
            }
        }
        for (id, mut all) in by_id {
            // Stable: of equals the last, which is the strongest.
            all.sort_by_key(|k| !k.fallback);
            let Some(winner) = all.pop() else { continue };
            for loser in &all {
                self.overridden(loser, &winner);
            }
            self.take(id, &winner);
        }
        self.out.keys.sort_by(|a, b| (&a.source, a.line).cmp(&(&b.source, b.line)));
    }

    fn overridden(&mut self, loser: &Known, winner: &Known) {
        let (raw, by) = (loser.raw, &winner.raw.place);
        let name = raw.name.text();
        // A limit that only stands for the missing argument is nobody's setting.
        if raw.place == *by && raw.place.line.is_none() && matches!(raw.name, Name::Key(_)) {
            return;
        }
        if raw.text != winner.raw.text {
            let what = format!("overridden by {by}");
            if raw.place.source == by.source {
                self.out.findings.warn(&raw.place, name, what, "keep one of them");
            } else {
                self.out.findings.note(&raw.place, name, what, "");
            }
        }
        let verdict = Verdict::Overridden { by: by.to_string() };
        self.out.keys.push(KeyReport::new(name, &raw.text, &raw.place, Some(loser.key), verdict));
    }

    /// Checks a winner and takes its value.
    fn take(&mut self, id: String, known: &Known) {
        let Known { raw, key, .. } = known;
        let (name, place) = (raw.name.text(), &raw.place);
        let findings = &mut self.out.findings;
        if key.kind == Kind::Path && raw.lost_backslash {
            let cure = "write / between directories, or \\\\ for a backslash";
            findings.warn(place, name, "a backslash is an escape here and was dropped", cure);
        }
        let value = match check(key, &raw.text) {
            Checked::Good(value) => Some(value),
            Checked::Adjusted(value, what) => {
                findings.warn(place, name, what, "");
                Some(value)
            }
            Checked::Wrong(what, cure) => {
                findings.error(place, name, what.as_str(), cure);
                self.out.keys.push(self.line(known, Verdict::Wrong { why: what }));
                None
            }
        };
        let Some(value) = value else { return };
        if !key.is_environment() {
            let property = if key.property.is_empty() || key.property.contains('<') {
                format!("{PREFIX}{id}")
            } else {
                key.property.to_owned()
            };
            let shown = if key.kind == Kind::Secret { "***" } else { &raw.text };
            self.written.insert(property, shown.to_owned());
        }
        let is_default = default_of(key).unwrap_or(Value::Text(String::new())) == value;
        let verdict = Verdict::of(key.status, is_default);
        if let Verdict::Refused { why } = &verdict {
            let what = format!("refused: {why}");
            self.out.findings.error(place, name, what, "drop it");
        }
        self.out.keys.push(self.line(known, verdict));
        self.given.insert(id, value, place.clone());
    }

    fn line(&self, known: &Known, verdict: Verdict) -> KeyReport {
        let raw = known.raw;
        KeyReport::new(raw.name.text(), &raw.text, &raw.place, Some(known.key), verdict)
    }

    /// Settings that a rule between keys found wrong get that as their verdict.
    fn mark_wrong(&mut self) {
        for error in self.out.findings.errors() {
            let named = |k: &&mut KeyReport| {
                k.source == error.source && k.line == error.line && Some(&k.key) == error.key.as_ref()
            };
            let settled =
                |k: &KeyReport| matches!(k.verdict, Verdict::Wrong { .. } | Verdict::Refused { .. });
            if let Some(report) = self.out.keys.iter_mut().find(named).filter(|k| !settled(k)) {
                report.verdict = Verdict::Wrong { why: error.message.clone() };
            }
        }
    }

    /// A setting without a row: kept as a property with one warning.
    fn stranger(&mut self, raw: &Raw) {
        let name = raw.name.text();
        let near = if self.unknown.len() < SUGGESTIONS { neighbour(&raw.name) } else { None };
        let ours = match &raw.name {
            Name::Key(key) => Some(format!("{PREFIX}{key}")),
            Name::Property(p) => p.starts_with(PREFIX).then(|| p.clone()),
        };
        let Some(property) = ours.or_else(|| near.as_ref().map(|_| name.to_owned())) else {
            let why = "a property of the Java virtual machine or its libraries".to_owned();
            let report = KeyReport::new(name, &raw.text, &raw.place, None, Verdict::NoMeaning { why });
            self.out.keys.push(report);
            return;
        };
        let cure = match &near {
            Some(near) => format!("did you mean {near}?"),
            None => "drop it".to_owned(),
        };
        self.out.findings.warn(&raw.place, name, "unknown key, it has no effect", cure);
        let verdict = Verdict::Unknown { nearest: near };
        self.out.keys.push(KeyReport::new(name, &raw.text, &raw.place, None, verdict));
        self.unknown.insert(property, Secret::new(raw.text.as_str()));
    }

    /// Members out of zoo.cfg or out of the dynamic configuration file.
    fn members(&mut self, request: &Request, raws: &[Raw], settings: &mut Settings) {
        let multi = settings.quorum.multi_address_enabled;
        let own =
            raws.iter().filter(|raw| matches!(&raw.name, Name::Key(key) if quorum::kind_of(key).is_some()));
        if let Invocation::File(config) = &request.invocation {
            settings.quorum.config_file = Some(config.clone());
        }
        let Some(path) = settings.quorum.dynamic_config_file.clone() else {
            let entries = own.map(|raw| (raw.name.text(), raw.text.as_str(), &raw.place));
            settings.quorum.ensemble = Ensemble::read(entries, multi, &mut self.out.findings);
            return;
        };
        for raw in own.filter(|raw| raw.name.text() != "version") {
            let cure = format!("move it to {}", path.display());
            let what = "must stand in the dynamic configuration file";
            self.out.findings.error(&raw.place, raw.name.text(), what, cure);
        }
        let Some(entries) = read_properties(&path, self.files, &mut self.out.findings) else { return };
        settings.quorum.ensemble = self.dynamic(&path, &entries, multi);
        settings.quorum.ensemble.version = version_of_file_name(&path.display().to_string()).unwrap_or(0);
        self.next_configuration(request, settings, multi);
    }

    /// A dynamic configuration file: nothing but members, and no version inside.
    fn dynamic(&mut self, path: &Path, entries: &[Entry], multi: bool) -> Ensemble {
        let source = path.display().to_string();
        let mut placed = Vec::new();
        for entry in entries {
            let place = Place::line(&source, entry.line);
            match quorum::kind_of(&entry.key) {
                Some(quorum::Entry::Version) => {
                    let cure = "the version stands in the name of the file";
                    self.out.findings.error(&place, "version", "not allowed in this file", cure);
                }
                Some(_) => {
                    if let Some(row) = keys::by_name(&entry.key) {
                        let verdict = Verdict::of(row.status, false);
                        let line = KeyReport::new(&entry.key, &entry.value, &place, Some(row), verdict);
                        self.out.keys.push(line);
                    }
                    placed.push((entry, place));
                }
                None => {
                    let cure = "only server, group and weight lines stand in this file";
                    self.out.findings.error(&place, &entry.key, "not allowed in this file", cure);
                }
            }
        }
        let entries = placed.iter().map(|(e, place)| (e.key.as_str(), e.value.as_str(), place));
        Ensemble::read(entries, multi, &mut self.out.findings)
    }

    /// `<zoo.cfg>.dynamic.next`: proposed, not yet committed when the server stopped.
    fn next_configuration(&mut self, request: &Request, settings: &mut Settings, multi: bool) {
        let Invocation::File(config) = &request.invocation else { return };
        let mut name = config.clone().into_os_string();
        name.push(".dynamic.next");
        let path = PathBuf::from(name);
        if !matches!(self.files.read(&path, CONFIG_MAX_BYTES), Ok(Some(_))) {
            return;
        }
        let Some(entries) = read_properties(&path, self.files, &mut self.out.findings) else { return };
        let source = path.display().to_string();
        let placed: Vec<_> = entries.iter().map(|e| (e, Place::line(&source, e.line))).collect();
        let entries = placed.iter().map(|(e, place)| (e.key.as_str(), e.value.as_str(), place));
        settings.quorum.last_seen = Some(Ensemble::read(entries, multi, &mut self.out.findings));
    }

    /// The `myid` file: its first line is the server id.
    fn my_id(&mut self, settings: &mut Settings) {
        if settings.storage.data_dir.as_os_str().is_empty() {
            return;
        }
        let path = settings.storage.data_dir.join("myid");
        let place = Place::whole(&path.display().to_string());
        match self.files.read(&path, CONFIG_MAX_BYTES) {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                let text = String::from_utf8_lossy(&bytes);
                let first = text.lines().next().unwrap_or_default().trim();
                match first.parse().ok().filter(|&id: &u64| i64::try_from(id).is_ok()) {
                    Some(id) => settings.quorum.my_id = Some(id),
                    None => {
                        let (what, cure) = ("not the number of a server", "write a number such as 1");
                        // A package's placeholder does not keep a single server from starting.
                        match settings.quorum.is_distributed() {
                            true => self.out.findings.error(&place, "", what, cure),
                            false => self.out.findings.warn(&place, "", what, cure),
                        }
                    }
                }
            }
            Err(why) => self.out.findings.error(&place, "", why, "make it readable"),
        }
    }

    /// The JAAS file, if one is named.
    fn jaas(&mut self, collected: &Collected, settings: &mut Settings) {
        const KEY: &str = "java.security.auth.login.config";
        let Some(path) = &settings.auth.login_config else { return };
        let named = self.given.place(KEY).cloned().unwrap_or_default();
        let findings = &mut self.out.findings;
        let bytes = match self.files.read(path, CONFIG_MAX_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let what = format!("there is no file {}", path.display());
                findings.error(&named, KEY, what, "give the path of the JAAS file");
                return;
            }
            Err(why) => {
                let what = format!("{}: {why}", path.display());
                findings.error(&named, KEY, what, "make it readable for the user the server runs as");
                return;
            }
        };
        let source = path.display().to_string();
        let property = |name: &str| collected.property(name).map(str::to_owned);
        let text = decode_text(&bytes).unwrap_or_default();
        match parse_jaas(&text, &property) {
            Ok(jaas) => {
                rules::check_jaas(&jaas, settings, &Place::whole(&source), findings);
                settings.jaas = Some(Arc::new(jaas));
                self.out.jaas.clone_from(&settings.jaas);
            }
            Err(bad) => {
                let what = format!("expected {}", bad.what);
                findings.error(&Place::line(&source, bad.line), "", what, "correct the JAAS file");
            }
        }
    }
}

/// The right name that somebody may have meant.
fn neighbour(name: &Name) -> Option<String> {
    let written = name.text();
    let bare = written.strip_prefix(PREFIX).unwrap_or(written);
    if let Some((_, key)) = DOCUMENTED_ALIASES.iter().find(|(alias, _)| *alias == bare) {
        return Some((*key).to_owned());
    }
    let plain = |text: &&str| !text.is_empty() && !text.contains('<');
    let names = || keys::all().map(|k| k.name).filter(plain);
    let properties = || keys::all().filter(|k| !k.is_environment()).map(|k| k.property).filter(plain);
    let near = match name {
        // The prefix belongs to the property, not to the key.
        Name::Key(_) if bare != written && keys::by_name(bare).is_some() => Some(bare),
        Name::Key(_) => nearest(bare, names()).or_else(|| nearest(written, properties())),
        // A key that has no property stands in zoo.cfg only.
        Name::Property(_) if keys::by_name(bare).is_some() => Some(bare),
        Name::Property(_) => nearest(written, properties()),
    };
    near.map(str::to_owned)
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

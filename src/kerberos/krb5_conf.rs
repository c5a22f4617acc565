//! krb5.conf, as far as it explains where a login goes: realms, KDCs, time and encryption types.
//!
//! Logins are made by libkrb5, which reads the file itself. This reader tells the operator what it says.
//!
//! # Invariants
//!
//! * Total: any text gives relations and complaints; a file, its includes and their depth are bounded by
//!   [`KRB5_CONF_BYTES`] and [`KRB5_CONF_FILES`].
//! * Of several relations of one name the first counts, as in libkrb5.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::limits::{KRB5_CONF_BYTES, KRB5_CONF_FILES};

/// Where libkrb5 looks when nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/krb5.conf";

/// What the files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Krb5Conf {
    /// Files that were read, in their order.
    pub files: Vec<PathBuf>,
    /// What is wrong with them, with file and line.
    pub complaints: Vec<String>,
    /// Section, subsections and name; value.
    relations: Vec<(Vec<String>, String)>,
}

impl Krb5Conf {
    /// Reads files, each with what it includes; what cannot be read is a complaint.
    pub fn read(paths: &[PathBuf]) -> Krb5Conf {
        let mut conf = Krb5Conf::default();
        for path in paths {
            conf.file(path);
        }
        conf
    }

    /// The value of a relation, by its path: `["libdefaults", "default_realm"]`.
    pub fn first(&self, path: &[&str]) -> Option<&str> {
        self.relations.iter().find(|(at, _)| at == path).map(|(_, value)| value.as_str())
    }

    /// All values of a relation.
    pub fn all<'a>(&'a self, path: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.relations.iter().filter(move |(at, _)| at == path).map(|(_, value)| value.as_str())
    }

    /// `default_realm`.
    pub fn default_realm(&self) -> Option<&str> {
        self.first(&["libdefaults", "default_realm"])
    }

    /// The names of `[realms]`, each once.
    pub fn realms(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for (at, _) in &self.relations {
            if let [section, realm, _] = at.as_slice()
                && section == "realms"
                && !names.contains(&realm.as_str())
            {
                names.push(realm);
            }
        }
        names
    }

    /// A switch of `[libdefaults]`.
    pub fn switch(&self, name: &str, default: bool) -> bool {
        self.first(&["libdefaults", name]).map_or(default, |value| {
            matches!(value.to_ascii_lowercase().as_str(), "true" | "t" | "yes" | "y" | "on" | "1")
        })
    }

    /// The realm that `[domain_realm]` gives a host, or the default realm.
    pub fn realm_of(&self, host: &str) -> Option<&str> {
        let host = host.to_ascii_lowercase();
        let mut name = host.as_str();
        loop {
            if let Some(realm) = self.first(&["domain_realm", name]) {
                return Some(realm);
            }
            // A name, then its domain with the dot, then without.
            name = match name.strip_prefix('.') {
                Some(bare) => bare,
                None => match name.find('.') {
                    Some(dot) => name.get(dot..).unwrap_or_default(),
                    None => return self.default_realm(),
                },
            };
        }
    }

    fn file(&mut self, path: &Path) {
        if self.files.len() == KRB5_CONF_FILES {
            let what = format!("{}: not read, more than {KRB5_CONF_FILES} files", path.display());
            return self.complaints.push(what);
        }
        let mut bytes = Vec::new();
        let limit = u64::try_from(KRB5_CONF_BYTES).unwrap_or(u64::MAX);
        let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
        if let Err(why) = read {
            return self.complaints.push(format!("{}: {why}", path.display()));
        }
        self.files.push(path.to_path_buf());
        self.text(path, &String::from_utf8_lossy(&bytes));
    }

    fn text(&mut self, file: &Path, text: &str) {
        let mut at: Vec<String> = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            let mut complain =
                |what: &str| self.complaints.push(format!("{}:{}: {what}", file.display(), n + 1));
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                let Some((name, _)) = name.split_once(']') else {
                    complain("no closing ]");
                    continue;
                };
                at = vec![name.to_owned()];
            } else if line.starts_with('}') {
                if at.len() < 2 {
                    complain("a } without its {");
                } else {
                    at.pop();
                }
            } else if let Some(rest) = directive(line, "includedir") {
                let mut inside: Vec<PathBuf> = match fs::read_dir(rest) {
                    Ok(entries) => entries.flatten().map(|e| e.path()).filter(|p| included(p)).collect(),
                    Err(why) => {
                        complain(&format!("{rest}: {why}"));
                        continue;
                    }
                };
                inside.sort();
                inside.iter().for_each(|path| self.file(path));
            } else if let Some(rest) = directive(line, "include") {
                self.file(Path::new(rest));
            } else if let Some((name, value)) = line.split_once('=') {
                // A star behind a name only ends the search in later files.
                let name = name.trim().trim_end_matches('*').to_owned();
                match value.trim() {
                    "{" => at.push(name),
                    _ if at.is_empty() => complain("a value outside any section"),
                    value => {
                        let value =
                            value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
                        let path = at.iter().cloned().chain([name]).collect();
                        self.relations.push((path, value.to_owned()));
                    }
                }
            } else if !line.starts_with("module ") {
                complain("neither a section nor name = value");
            }
        }
    }
}

fn directive<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim)
}

/// Files of an included directory that libkrb5 takes: plain names, or names that end in `.conf`.
fn included(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    plain || (name.ends_with(".conf") && !name.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_sections_and_includes_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        write("d/realm", "[realms]\n R.B = {\n  kdc = b:21732\n }\n");
        write("d/ignored~", "[libdefaults]\n default_realm = WRONG\n");
        let main = write(
            "krb5.conf",
            &format!(
                "# a comment\nincludedir {}/d\n[libdefaults]\n default_realm = R.A\n default_realm = R.C\n \
                 rdns = no\n[realms]\n R.A = {{\n  kdc = a1\n  kdc = \"a2:88\"\n }}\n[domain_realm]\n \
                 .x.com = R.B\n host.x.com = R.A\n",
                dir.path().display()
            ),
        );
        let conf = Krb5Conf::read(&[main]);
        assert_eq!(conf.complaints, Vec::<String>::new());
        assert_eq!(conf.default_realm(), Some("R.A"));
        assert_eq!(conf.all(&["realms", "R.A", "kdc"]).collect::<Vec<_>>(), ["a1", "a2:88"]);
        assert_eq!(conf.realms(), ["R.B", "R.A"]);
        assert!(!conf.switch("rdns", true) && conf.switch("dns_lookup_kdc", true));
        assert_eq!(conf.realm_of("HOST.x.com"), Some("R.A"));
        assert_eq!(conf.realm_of("other.x.com"), Some("R.B"));
        assert_eq!(conf.realm_of("elsewhere"), Some("R.A"));
        assert_eq!(conf.files.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("krb5.conf");
        fs::write(&path, format!("x = 1\n}}\n[open\nnonsense\ninclude {}\n", path.display())).unwrap();
        let conf = Krb5Conf::read(&[dir.path().join("none"), path]);
        let said = conf.complaints.join("\n");
        for part in
            [":1: a value", ":2: a }", ":3: no closing", ":4: neither", "none: No such file", "not read"]
        {
            assert!(said.contains(part), "{part} is not in {said}");
        }
    }
}

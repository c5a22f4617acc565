//! The file of `oxkeeper serve --logging`: how and where a server logs, beside zoo.cfg.
//!
//! `key=value` lines: `level`, `format` (text, journal or json), `file`, `fileSizeMB`, `fileCount`. What the
//! command line or the environment says wins. At SIGHUP the level is taken over, everything else at a start.
//!
//! # Invariants
//!
//! * An unknown key or a wrong value is an error with its line, never passed over.

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;

use crate::config::Files as _;
use crate::config::properties::{Entry, parse_properties};
use crate::limits::CONFIG_MAX_BYTES;
use crate::os::log::Format;

use super::configuration::OnDisk;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logging {
    /// `level`.
    pub level: Option<String>,
    /// `format`.
    pub format: Option<Format>,
    /// `file`.
    pub file: Option<PathBuf>,
    /// `fileSizeMB`, at least 1.
    pub file_size: Option<u64>,
    /// `fileCount`.
    pub file_count: Option<u32>,
}

/// Reads the file.
///
/// # Errors
///
/// One sentence with file, line and cure.
pub fn read(path: &Path) -> Result<Logging, String> {
    let shown = path.display();
    let bytes = OnDisk
        .read(path, CONFIG_MAX_BYTES)
        .map_err(|e| format!("{shown}: {e}; make it readable for the user the server runs as"))?
        .ok_or_else(|| format!("{shown}: there is no such file; correct --logging"))?;
    let entries = parse_properties(&bytes).map_err(|_| format!("{shown} is no file of key=value lines"))?;
    let mut logging = Logging::default();
    for entry in &entries {
        logging.take(entry).map_err(|why| format!("{shown}:{}: {why}", entry.line))?;
    }
    Ok(logging)
}

impl Logging {
    fn take(&mut self, entry: &Entry) -> Result<(), String> {
        let (key, value) = (entry.key.as_str(), entry.value.trim());
        let wrong = |cure: &str| format!("{key}={}: {cure}", value.escape_debug());
        match key {
            _ if value.is_empty() => {}
            "level" => self.level = Some(value.to_owned()),
            "format" => {
                let format = Format::from_str(value, true);
                self.format = Some(format.map_err(|_| wrong("give text, journal or json"))?);
            }
            "file" => self.file = Some(PathBuf::from(value)),
            "fileSizeMB" => {
                let size = value.parse().ok().filter(|&size| size > 0);
                self.file_size = Some(size.ok_or_else(|| wrong("give a number from 1"))?);
            }
            "fileCount" => self.file_count = Some(value.parse().map_err(|_| wrong("give a number"))?),
            _ => {
                return Err(format!(
                    "{} is no key of this file: it has level, format, file, fileSizeMB and fileCount",
                    key.escape_debug()
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Logging, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logging");
        std::fs::write(&path, text).unwrap();
        read(&path).map_err(|why| why.replace(&path.display().to_string(), "FILE"))
    }

    #[test]
    fn keys_are_taken_and_empty_ones_are_unset() {
        let text = "# how\nlevel=debug\nformat=JSON\nfile=/var/log/x\nfileSizeMB=5\nfileCount=0\n";
        let logging = Logging {
            level: Some("debug".to_owned()),
            format: Some(Format::Json),
            file: Some(PathBuf::from("/var/log/x")),
            file_size: Some(5),
            file_count: Some(0),
        };
        assert_eq!(of(text), Ok(logging));
        assert_eq!(of("level=\nfile=\n"), Ok(Logging::default()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, why) in [
            ("level=info\nlevels=x\n", "FILE:2: levels is no key of this file"),
            ("format=xml\n", "FILE:1: format=xml: give text, journal or json"),
            ("fileSizeMB=0\n", "FILE:1: fileSizeMB=0: give a number from 1"),
            ("fileCount=-1\n", "FILE:1: fileCount=-1: give a number"),
        ] {
            let said = of(text).unwrap_err();
            assert!(said.starts_with(why), "{said}");
        }
        assert!(read(Path::new("/nowhere/logging")).unwrap_err().contains("no such file"));
    }
}

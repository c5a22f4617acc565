//! The shell's own command line and client settings.
//!
//! # Invariants
//!
//! * Flags are those of `ZooKeeperMain`; unknown ones are passed over, as there.

use crate::client::{ClientConfig, ClientError};
use crate::config::properties::parse_properties;
use std::time::Duration;

/// What `oxkeeper shell` was started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Startup {
    /// `-server`: the connect string.
    pub server: String,
    /// `-timeout`: the session's, ms.
    pub timeout: String,
    /// `-r`: a read-only server will do.
    pub read_only: bool,
    /// `-waitforconnection`: do nothing before the session stands.
    pub wait: bool,
    /// `-client-configuration`: a file of properties.
    pub client_configuration: Option<String>,
    /// `--json`: answers as JSON.
    pub json: bool,
    /// `-h`, `-help`, `--help`.
    pub help: bool,
    /// The command to run; none: interactive.
    pub command: Option<Vec<String>>,
}

impl Startup {
    /// Reads the arguments behind `shell`, and the complaint about a flag without its
    /// value (ZooKeeper prints it and goes on with what it has).
    pub fn parse(args: &[String]) -> (Startup, Option<String>) {
        let mut s = Startup {
            server: "localhost:2181".to_owned(),
            timeout: "30000".to_owned(),
            read_only: false,
            wait: false,
            client_configuration: None,
            json: false,
            help: false,
            command: None,
        };
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut missing = false;
            let mut value = |into: &mut String| match rest.next() {
                Some(v) => into.clone_from(v),
                None => missing = true,
            };
            match arg.as_str() {
                "-server" => value(&mut s.server),
                "-timeout" => value(&mut s.timeout),
                "-client-configuration" => value(s.client_configuration.get_or_insert_default()),
                "-r" => s.read_only = true,
                "-waitforconnection" => s.wait = true,
                "--json" => s.json = true,
                "-h" | "-help" | "--help" => s.help = true,
                flag if flag.starts_with('-') => {}
                _ => {
                    s.command = Some(std::iter::once(arg).chain(rest.by_ref()).cloned().collect());
                }
            }
            if missing {
                return (s, Some(format!("Error: no argument found for option {arg}")));
            }
        }
        (s, None)
    }

    /// The client's settings for a connect string.
    pub fn client(&self, server: &str) -> Result<ClientConfig, ClientError> {
        let ms = self.timeout.parse::<u64>().ok().filter(|ms| *ms > 0 && *ms <= i32::MAX as u64).ok_or_else(
            || {
                ClientError::Config(format!(
                    "-timeout {:?} is no number of milliseconds above 0",
                    self.timeout
                ))
            },
        )?;
        let mut config = ClientConfig::new(server)?.timeout(Duration::from_millis(ms));
        config.read_only = self.read_only;
        if let Some(file) = &self.client_configuration {
            apply_file(&mut config, file)?;
        }
        Ok(config)
    }
}

/// Settings of a client's properties file that mean something here.
fn apply_file(config: &mut ClientConfig, file: &str) -> Result<(), ClientError> {
    let refuse = |why: String| ClientError::Config(format!("client configuration {file}: {why}"));
    let bytes = std::fs::read(file).map_err(|e| refuse(format!("cannot be read, {e}")))?;
    let entries = parse_properties(&bytes).map_err(|e| refuse(format!("is no properties file, {e:?}")))?;
    for entry in entries {
        let line = entry.line;
        match entry.key.as_str() {
            "jute.maxbuffer" => {
                config.max_buffer = number(&entry.value).ok_or_else(|| {
                    refuse(format!("line {line}: jute.maxbuffer must be a number of bytes up to 2147483647"))
                })?;
            }
            "zookeeper.client.secure" if entry.value.eq_ignore_ascii_case("true") => {
                return Err(refuse(format!(
                    "line {line}: zookeeper.client.secure=true asks for TLS, and this shell has no TLS connector; \
                     connect to the plain client port"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Decimal or, behind 0x, hexadecimal.
fn number(text: &str) -> Option<usize> {
    let value = match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    value.ok().filter(|n| (1..=i64::from(i32::MAX)).contains(n)).and_then(|n| usize::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> (Startup, Option<String>) {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Startup::parse(&args)
    }

    #[test]
    fn flags_end_where_the_command_begins() {
        let (s, complaint) =
            parse("-server a:1/x -timeout 5000 -r -waitforconnection -unknown --json ls -s /");
        assert_eq!(complaint, None);
        assert_eq!((s.server.as_str(), s.timeout.as_str()), ("a:1/x", "5000"));
        assert!(s.read_only && s.wait && s.json);
        assert_eq!(s.command, Some(vec!["ls".into(), "-s".into(), "/".into()]));
        let config = s.client("a:1/x").unwrap();
        assert_eq!(config.timeout, Duration::from_secs(5));
        assert!(parse("").0.command.is_none());
    }

    #[test]
    fn wrong_flags_are_named() {
        let (s, complaint) = parse("-server");
        assert_eq!(complaint.as_deref(), Some("Error: no argument found for option -server"));
        assert_eq!(s.server, "localhost:2181");
        assert!(parse("-timeout x ls /").0.client("a").is_err());
        assert!(parse("-client-configuration /does/not/exist ls /").0.client("a").is_err());
    }

    #[test]
    fn a_client_configuration_sets_the_buffer_and_never_drops_tls_silently() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("client.cfg");
        let config = |text: &str| {
            std::fs::write(&file, text).unwrap();
            parse(&format!("-client-configuration {} ls /", file.display())).0.client("a")
        };
        assert_eq!(config("jute.maxbuffer=0x2000\nother=1\n").unwrap().max_buffer, 0x2000);
        assert!(config("jute.maxbuffer=-1").is_err());
        assert!(config("zookeeper.client.secure=true").is_err());
        assert!(config("zookeeper.client.secure=false").is_ok());
    }
}

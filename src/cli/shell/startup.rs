//! The shell's own command line and client settings.
//!
//! # Invariants
//!
//! * Flags are those of `ZooKeeperMain`; unknown ones are passed over, as there.

use crate::client::{ClientConfig, ClientError, LoginOptions, OutwardSasl, TlsConnector};
use crate::config::Secret;
use crate::config::flags::{Flag, parse_flags, parse_property};
use crate::config::properties::parse_properties;
use std::sync::Arc;
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
    /// `--keytab`, `--ccache`, `-D...` and the like: the login.
    pub login: LoginOptions,
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
            login: LoginOptions::default(),
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
                "--kerberos" => s.login.kerberos = true,
                flag if LoginOptions::FLAGS.contains(&flag) => {
                    let mut text = String::new();
                    value(&mut text);
                    s.login.take(flag, &text);
                }
                flag if flag.starts_with("-D") => {
                    let (name, value) = parse_property(flag);
                    s.login.properties.insert(name, Secret::new(value));
                }
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

    /// Takes the properties of the variables into account with which zkCli.sh's users hand them over; what
    /// stands on the command line wins, then `JVMFLAGS`.
    pub fn environment(&mut self, variable: impl Fn(&str) -> Option<String>) {
        for name in ["JVMFLAGS", "CLIENT_JVMFLAGS"] {
            for flag in parse_flags(&variable(name).unwrap_or_default()).into_iter().rev() {
                if let Flag::Property { name, value } = flag {
                    self.login.properties.entry(name).or_insert_with(|| Secret::new(value));
                }
            }
        }
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
        let mut login = self.login.clone();
        if let Some(file) = &self.client_configuration {
            apply_file(&mut config, &mut login, file)?;
        }
        if let Some(tls) = TlsConnector::by_properties(&|name| login.property(name).map(str::to_owned))? {
            config.connector = tls;
        }
        let outward = login.outward(&|path| std::fs::read(path))?;
        config.sasl = outward.map(|o| Arc::new(OutwardSasl::new(o)) as Arc<_>);
        Ok(config)
    }
}

/// Settings of a client's properties file that mean something here.
fn apply_file(config: &mut ClientConfig, login: &mut LoginOptions, file: &str) -> Result<(), ClientError> {
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
            _ => drop(login.properties.insert(entry.key, Secret::new(entry.value))),
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
    fn logins_come_from_flags_variables_and_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("client.cfg");
        std::fs::write(&file, "zookeeper.server.principal=from/file\n").unwrap();
        let (mut s, complaint) =
            parse("--keytab /k --principal a@R -Dx=1 -Dy=line --kerberos --server-principal z/h ls /");
        assert_eq!(complaint, None);
        s.environment(|name| match name {
            "JVMFLAGS" => Some("-Xmx1g -Dy=jvm -Dz=first -Dz=jvm".into()),
            _ => Some("-Dz=client -Dw=client".into()),
        });
        let values = ["x", "y", "z", "w"].map(|name| s.login.property(name));
        assert_eq!(values, [Some("1"), Some("line"), Some("jvm"), Some("client")]);
        assert!(s.login.kerberos && s.login.keytab.is_some() && s.login.server_principal.is_some());
        assert!(s.client("a").is_err(), "two ways to log in");
        assert!(parse("ls /").0.client("a").unwrap().sasl.is_none());
        assert!(parse("--ccache FILE:/cc ls /").0.client("a").unwrap().sasl.is_some());
        let line = format!("-Dzookeeper.sasl.clientconfig=X -client-configuration {} ls /", file.display());
        assert!(parse(&line).0.client("a").is_err(), "a section without a file");
        assert_eq!(parse("--keytab").1.as_deref(), Some("Error: no argument found for option --keytab"));
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

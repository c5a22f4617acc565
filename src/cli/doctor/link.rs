//! Looking into a running server: a session of our own, with or without a login, and walks over znodes.
//!
//! # Invariants
//!
//! * Only reads are sent.
//! * Every wait is bounded; a walk ends after [`MOST`] znodes or [`WALK`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use super::codes::Doc;
use super::here::Here;
use super::report::{Finding, Report};
use crate::client::{Blocking, ClientConfig, ClientError, LoginOptions, OutwardSasl, TlsConnector};
use crate::config::Secret;
use crate::error::Code;
use crate::types::Acl;

/// Longest wait for a session.
const CONNECT: Duration = Duration::from_secs(5);
/// Time-out of the session, as it is asked for.
const SESSION: Duration = Duration::from_secs(10);
/// Most znodes of a walk.
pub const MOST: usize = 20_000;
/// Longest walk.
const WALK: Duration = Duration::from_secs(5);

/// Where the server is, and as whom to look.
#[derive(Debug, Clone, Default, Args)]
pub struct LinkArgs {
    /// Connect string [default: localhost and the client port of the configuration]
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Option<String>,
    /// Log in with the tickets of this user's cache
    #[arg(long)]
    kerberos: bool,
    /// Log in with this keytab; needs --principal
    #[arg(long)]
    keytab: Option<PathBuf>,
    /// Log in with the tickets of this cache
    #[arg(long)]
    ccache: Option<String>,
    /// Log in as this principal
    #[arg(long)]
    principal: Option<String>,
    /// The server's principal
    #[arg(long)]
    server_principal: Option<String>,
    /// Log in by DIGEST-MD5 as this user; needs --password-file
    #[arg(long)]
    user: Option<String>,
    /// File with the password of --user
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// File with an identity for addauth: scheme:text, such as digest:user:password
    #[arg(long)]
    auth_file: Option<PathBuf>,
}

/// A session to look with.
pub struct Link {
    session: Blocking,
    /// How the server was named.
    pub server: String,
}

/// Opens a session; what keeps it from opening is a finding.
pub fn open(args: &LinkArgs, properties: &[String], here: &Here, report: &mut Report) -> Option<Link> {
    let server = args.server.clone().unwrap_or_else(|| {
        let port = here.settings.client.client_port.filter(|_| here.config.is_some());
        format!("localhost:{}", port.unwrap_or(crate::client::DEFAULT_PORT))
    });
    report.fact("server", &server);
    match connect(args, properties, &server) {
        Ok(session) => Some(Link { session, server }),
        Err(error @ (ClientError::AuthFailed(_) | ClientError::Config(_))) => {
            report.find(Finding::error(Doc::ServerRefused, format!("{server}: {error}")));
            None
        }
        Err(error) => {
            report.find(Finding::error(Doc::ServerUnreachable, format!("{server}: {error}")));
            None
        }
    }
}

/// A session with `server`, as whom `args` say.
///
/// # Errors
///
/// What keeps it from opening.
pub(in crate::cli) fn connect(
    args: &LinkArgs,
    properties: &[String],
    server: &str,
) -> Result<Blocking, ClientError> {
    let login = LoginOptions {
        kerberos: args.kerberos,
        keytab: args.keytab.clone(),
        ccache: args.ccache.clone(),
        principal: args.principal.clone(),
        server_principal: args.server_principal.clone(),
        user: args.user.clone(),
        password_file: args.password_file.clone(),
        properties: properties
            .iter()
            .filter_map(|p| p.split_once('='))
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .collect(),
    };
    let mut config = ClientConfig::new(server)?.timeout(SESSION);
    if let Some(tls) = TlsConnector::by_properties(&|name| login.property(name).map(str::to_owned))? {
        config.connector = tls;
    }
    let outward = login.outward(&|path| std::fs::read(path))?;
    config.sasl = outward.map(|o| Arc::new(OutwardSasl::new(o)) as Arc<_>);
    let (session, _events) = Blocking::start(config)?;
    session.wait_connected(CONNECT)?;
    if let Some(file) = &args.auth_file {
        let wrong = |what: &dyn std::fmt::Display| ClientError::Config(format!("{}: {what}", file.display()));
        let text = Secret::new(std::fs::read_to_string(file).map_err(|e| wrong(&e))?);
        let (scheme, auth) =
            text.reveal().trim_end().split_once(':').ok_or_else(|| wrong(&"not of the form scheme:text"))?;
        session.wait(session.client().add_auth(scheme, auth.as_bytes()))?;
    }
    Ok(session)
}

impl Link {
    /// A znode's ACL.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub fn acl(&self, path: &str) -> Result<Vec<Acl>, ClientError> {
        self.session.wait(self.session.client().get_acl(path)).map(|(list, _)| list)
    }

    /// Visits `root` and what is below it, as far as it may be read; false if the walk was cut short.
    pub fn walk(&self, root: &str, mut visit: impl FnMut(&str, &[Acl])) -> bool {
        let begun = Instant::now();
        let (mut paths, mut at) = (vec![root.to_owned()], 0);
        while let Some(path) = paths.get(at).cloned() {
            if at >= MOST || begun.elapsed() > WALK {
                return false;
            }
            at += 1;
            if let Ok(list) = self.acl(&path) {
                visit(&path, &list);
            }
            let children =
                self.session.wait(self.session.client().children(&path, false)).unwrap_or_default();
            let parent = if path == "/" { "" } else { path.as_str() };
            paths.extend(children.iter().map(|name| format!("{parent}/{name}")));
        }
        true
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.session.close();
    }
}

/// Says why a znode's ACL cannot be had.
pub fn unreadable(path: &str, error: &ClientError, report: &mut Report) {
    let what = format!("{path}: {error}");
    report.find(match error.code() {
        Code::NoNode => Finding::error(Doc::NoNode, what),
        Code::NoAuth | Code::AuthFailed | Code::SessionClosedRequireSaslAuth => {
            Finding::error(Doc::ServerRefused, what)
        }
        _ => Finding::error(Doc::ServerUnreachable, what),
    });
}

/// Permission bits as letters, in the order of `cdrwa`.
pub fn letters(bits: i32) -> String {
    BITS.iter().filter(|(bit, ..)| bits & bit != 0).map(|(_, letter, _)| *letter).collect()
}

/// Bit, letter, and what it allows.
pub const BITS: [(i32, char, &str); 5] = [
    (crate::types::perms::CREATE, 'c', "create children"),
    (crate::types::perms::DELETE, 'd', "delete children"),
    (crate::types::perms::READ, 'r', "read and list"),
    (crate::types::perms::WRITE, 'w', "set data"),
    (crate::types::perms::ADMIN, 'a', "set the ACL"),
];

//! The admin server's site: who may ask what, and where it is answered.
//!
//! # Invariants
//!
//! * Nothing but health and metrics is told to somebody who has shown no identity, unless the port is one of
//!   this machine alone and nothing was configured; snapshot and restore never are.
//! * What changes something is not done for another site's page in somebody's browser, and whatever is done or
//!   denied is audited.
//! * The address of whoever asks is that of the socket.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing::{info, warn};

use super::identity::{Gatekeeper, Known};
use super::pages::{self, Page};
use super::snapshots::Snapshots;
use super::source::{LiveSource, Told};
use crate::admin::{Command, answers, json};
use crate::auth::rules::AdminRole;
use crate::auth::sasl::Refusal;
use crate::error::Code;
use crate::net::http::{Asked, Method, Reply, Site, StatusCode, Taken, header};
use crate::os::clock;
use crate::server::front::Front;

/// The site.
pub struct AdminSite {
    /// The server.
    pub front: Arc<Front>,
    /// Who is who.
    pub gatekeeper: Gatekeeper,
    /// `admin.commandURL`, without a slash at its end.
    pub commands: String,
    /// Nothing was configured about identities, and the port is one of this machine alone.
    pub open: bool,
    /// The host that was configured to listen on.
    pub host: String,
    /// What was configured, as far as it may be told.
    pub told: Told,
    /// Snapshots out, snapshots in.
    pub snapshots: Snapshots,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place<'a> {
    List,
    Command(&'a str),
    Page(Page),
    Nowhere,
}

/// What may be asked without identity: is the server well, and its figures.
fn is_public(command: Option<Command>) -> bool {
    matches!(command, Some(Command::Ruok | Command::Monitor))
}

impl AdminSite {
    fn place<'a>(&self, path: &'a str) -> Place<'a> {
        let own = !self.commands.is_empty();
        match path.strip_prefix(self.commands.as_str()) {
            Some("" | "/") if own => return Place::List,
            Some(rest) => match rest.strip_prefix('/') {
                // Where commands stand at the root, pages stand beside them.
                Some(name) if own || Command::parse(name).is_some() => return Place::Command(name),
                _ => {}
            },
            None => {}
        }
        Page::of(path).map_or(Place::Nowhere, Place::Page)
    }

    fn route(&self, asked: Asked) -> Reply {
        if asked.method == Method::TRACE {
            return Reply::text(StatusCode::FORBIDDEN, "TRACE is not answered\n");
        }
        if ![Method::GET, Method::HEAD, Method::POST].contains(&asked.method) {
            let reply = Reply::text(StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD and POST are taken\n");
            return reply.with(header::ALLOW, "GET, HEAD, POST");
        }
        let path = asked.path.clone();
        let place = self.place(&path);
        if place == Place::Nowhere {
            return Reply::text(
                StatusCode::NOT_FOUND,
                format!("there is nothing here; see {}\n", self.commands),
            );
        }
        if self.open && !is_this_host(asked.header(header::HOST), &self.host) {
            let why = "ask for this machine by its address or as localhost: names of others may be made to lead here\n";
            return Reply::text(StatusCode::MISDIRECTED_REQUEST, why);
        }
        let known = match self.gatekeeper.identify(&asked) {
            Ok(known) => known,
            Err(refusal) => return self.unknown(&asked, &place, Some(&refusal)),
        };
        let reply = match self.permit(&asked, &place, known.as_ref()) {
            Ok(()) => self.give(asked, &place, known.as_ref()),
            Err(reply) => *reply,
        };
        match known.and_then(|known| known.token) {
            Some(token) => {
                reply.with(header::WWW_AUTHENTICATE, &format!("Negotiate {}", STANDARD.encode(token)))
            }
            None => reply,
        }
    }

    /// What one must be for what is asked.
    fn needed(place: &Place<'_>) -> AdminRole {
        match place {
            Place::Command(name) => Command::parse(name).map_or(AdminRole::Read, Command::role),
            Place::List | Place::Page(_) | Place::Nowhere => AdminRole::Read,
        }
    }

    fn permit(&self, asked: &Asked, place: &Place<'_>, known: Option<&Known>) -> Result<(), Box<Reply>> {
        let needed = AdminSite::needed(place);
        let command = match place {
            Place::Command(name) => Command::parse(name),
            _ => None,
        };
        if needed > AdminRole::Read && is_foreign(asked) {
            let why = "a page of another site asks: open this server's own";
            self.denied(asked, known, place, why);
            return Err(Box::new(refuse(StatusCode::FORBIDDEN, place, why)));
        }
        if is_public(command) || self.open && needed < AdminRole::Restore {
            return Ok(());
        }
        let Some(known) = known else { return Err(Box::new(self.unknown(asked, place, None))) };
        let role = known.role.or_else(|| self.root_role(known, needed));
        if role >= Some(needed) || self.root_role(known, needed).is_some() {
            return Ok(());
        }
        let why = format!("Not authorized: this needs the role {0}; see admin.auth.{0}", needed.name());
        self.denied(asked, Some(known), place, &why);
        Err(Box::new(refuse(StatusCode::FORBIDDEN, place, &why)))
    }

    /// Who holds every right on `/` may take and restore snapshots, as in ZooKeeper.
    fn root_role(&self, known: &Known, needed: AdminRole) -> Option<AdminRole> {
        let serving = self.front.serving().filter(|_| needed == AdminRole::Restore)?;
        self.gatekeeper.rules_root(known, &serving.shared).then_some(AdminRole::Restore)
    }

    /// Nobody, or nobody who could prove it.
    fn unknown(&self, asked: &Asked, place: &Place<'_>, refusal: Option<&Refusal>) -> Reply {
        let text = match refusal {
            None => "Auth info is missing for the command",
            Some(refusal) => {
                let (cause, detail) = (refusal.reason.cause(), refusal.detail.escape_debug().to_string());
                let who = refusal.who.as_deref().unwrap_or("unknown").escape_debug().to_string();
                warn!(peer = %asked.peer, reason = %refusal.reason, who, detail, "admin login refused: {cause}");
                if let Some(audit) = self.front.audit() {
                    audit.refused_at(asked.peer.ip(), "admin", refusal);
                }
                "Not authenticated"
            }
        };
        if refusal.is_none() && AdminSite::needed(place) > AdminRole::Read {
            self.denied(asked, None, place, text);
        }
        let mut reply = refuse(StatusCode::UNAUTHORIZED, place, text);
        for challenge in self.gatekeeper.challenges(asked) {
            reply = reply.with(header::WWW_AUTHENTICATE, challenge);
        }
        reply
    }

    fn denied(&self, asked: &Asked, known: Option<&Known>, place: &Place<'_>, why: &str) {
        let name = known.map(|known| known.name.as_str());
        self.audited(name, asked.peer.ip(), place, Code::NoAuth, why);
    }

    fn audited(&self, user: Option<&str>, peer: IpAddr, place: &Place<'_>, code: Code, detail: &str) {
        if let Some(audit) = self.front.audit() {
            let what = match place {
                Place::Command(name) => Command::parse(name).map_or("unknown", Command::name),
                Place::List => "list",
                Place::Page(_) | Place::Nowhere => "page",
            };
            audit.admin(user, Some(peer), what, code, detail);
        }
    }

    fn give(&self, asked: Asked, place: &Place<'_>, known: Option<&Known>) -> Reply {
        let source = LiveSource::new(&self.front, &self.told);
        match place {
            Place::List => Reply::html(StatusCode::OK, self.links()),
            Place::Page(page) => {
                let commands = &self.commands;
                let looker = pages::Looker { known, providers: self.gatekeeper.providers(), commands };
                pages::page(*page, &asked, &source, &self.front, &looker)
            }
            Place::Command(name) => match Command::parse(name) {
                Some(command) => self.command(command, name, asked, known, &source),
                None => Reply::json(StatusCode::OK, json::print(&answers::unknown(name))),
            },
            Place::Nowhere => Reply::text(StatusCode::NOT_FOUND, ""),
        }
    }

    fn command(
        &self,
        command: Command,
        name: &str,
        asked: Asked,
        known: Option<&Known>,
        source: &LiveSource<'_>,
    ) -> Reply {
        let place = Place::Command(name);
        if command.is_post() != (asked.method == Method::POST) {
            let (takes, also) = if command.is_post() { ("POST", "") } else { ("GET", ", HEAD") };
            let why = format!("{} is asked by {takes}", command.name());
            let reply = refuse(StatusCode::METHOD_NOT_ALLOWED, &place, &why);
            return reply.with(header::ALLOW, &format!("{takes}{also}"));
        }
        if let Some(fields) = answers::not_serving(command, name, source) {
            return Reply::json(StatusCode::OK, json::print(&fields));
        }
        let words = self.front.words();
        let mut permit = None;
        if command.is_expensive() {
            permit = words.gate().admit(clock::mono());
            if permit.is_none() {
                return refuse(StatusCode::TOO_MANY_REQUESTS, &place, "asked for too often");
            }
        }
        let (user, peer) = (known.map(|known| known.name.clone()), asked.peer);
        let (reply, detail) = match command {
            Command::Snapshot => self.snapshots.take(&asked, &self.front),
            Command::RestoreSnapshot => self.snapshots.restore(asked, &self.front),
            Command::ShedConnections => super::shed::shed(asked, &self.front),
            command => {
                let parameter = |name: &str| asked.parameter(name).map(str::to_owned);
                let fields = answers::answer(command, &parameter, source, words);
                (
                    Reply::json(StatusCode::OK, json::print(&fields)),
                    asked.parameter("traceMask").unwrap_or("").to_owned(),
                )
            }
        };
        drop(permit);
        if command.role() > AdminRole::Read {
            let code = if reply.status == StatusCode::OK { Code::Ok } else { Code::SystemError };
            let who = user.as_deref().unwrap_or("nobody").escape_debug().to_string();
            info!(%peer, who, command = command.name(), status = reply.status.as_u16(), "admin command");
            self.audited(user.as_deref(), peer.ip(), &place, code, &detail);
        }
        reply
    }

    /// The list of commands, as ZooKeeper's.
    fn links(&self) -> String {
        let link = |command: &Command| {
            let (prefix, name) = (pages::escape(&self.commands), command.name());
            format!("<a href=\"{prefix}/{name}\">{name}</a>\n<br/>\n")
        };
        Command::ALL.iter().map(link).collect()
    }
}

/// A refusal in the form of a command's answer.
fn refuse(status: StatusCode, place: &Place<'_>, why: &str) -> Reply {
    match place {
        Place::Command(name) => {
            Reply::json(status, json::print(&answers::finish(name, json::Fields::new(), Some(why))))
        }
        _ => Reply::text(status, format!("{why}\n")),
    }
}

/// Is this request made by a page of another site, in a browser?
fn is_foreign(asked: &Asked) -> bool {
    let site = asked.headers.get("sec-fetch-site").map(|site| site.as_bytes());
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return true;
    }
    let host = asked.header(header::HOST);
    // Browsers leave the first out on plain HTTP; these two name where the page came from.
    [header::ORIGIN, header::REFERER].into_iter().filter_map(|name| asked.headers.get(name)).any(|from| {
        let from = from.to_str().ok().and_then(|from| from.split_once("://"));
        let from = from.map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
        from.is_none() || from != host
    })
}

/// Does `Host` name this machine: an address, `localhost`, or what was configured?
fn is_this_host(host: Option<&str>, configured: &str) -> bool {
    // HTTP/1.0 knows no Host; browsers always send it.
    let Some(host) = host else { return true };
    let name = match host.strip_prefix('[') {
        Some(six) => six.split_once(']').map_or(six, |(six, _)| six),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.eq_ignore_ascii_case(configured)
        || name.parse::<IpAddr>().is_ok()
}

impl Site for AdminSite {
    fn answer(&self, asked: Asked) -> Reply {
        self.route(asked)
    }

    fn taken(&self, method: &Method, path: &str) -> Taken {
        let Place::Command(name) = self.place(path) else { return Taken::Whole };
        match Command::parse(name) {
            Some(Command::RestoreSnapshot) if *method == Method::POST => Taken::Streamed,
            Some(Command::Snapshot) if *method == Method::GET => Taken::Streamed,
            _ => Taken::Whole,
        }
    }

    fn at_once(&self, method: &Method, path: &str) -> Option<Reply> {
        if *method != Method::GET && *method != Method::HEAD {
            return None;
        }
        super::probes::probe(path, &self.front)
    }

    fn came_plain(&self) {
        self.front.metrics.insecure_admin_count.inc();
    }

    fn tls_refused(&self, peer: std::net::SocketAddr, refusal: &Refusal) {
        self.front.metrics.tls.refused(refusal.reason);
        if let Some(audit) = self.front.audit() {
            audit.refused_at(peer.ip(), "tls", refusal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_others_are_seen() {
        for host in ["localhost:8080", "LOCALHOST", "127.0.0.1:8080", "[::1]:8080", "10.1.2.3", "zk1"] {
            assert!(is_this_host(Some(host), "zk1"), "{host}");
        }
        for host in ["evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert!(!is_this_host(Some(host), "zk1"), "{host}");
        }
        assert!(is_this_host(None, "zk1"));
    }
}

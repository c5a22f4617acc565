//! The console: pages out of the live server, as far as whoever asks may see them.
//!
//! # Invariants
//!
//! * A znode is shown to whom a client with the same identity would be let read it; nobody's address is an
//!   identity here.
//! * The state is held for one znode, or for a list that is bounded.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::identity::Known;
use super::source::LiveSource;
use crate::admin::console::overview::{Expiry, Follows, Overview};
use crate::admin::console::sessions::{SessionLine, WatchLine, sessions, watches};
use crate::admin::console::tree::{Znode, tree};
use crate::admin::console::{self, Frame};
use crate::admin::{AdminSource as _, Item, SessionsStatus, Source as _};
use crate::auth::rules::{Rule, SEES_HASHES, rule};
use crate::auth::{Caller, Identities, Providers, any_of, masked};
use crate::limits::{CONSOLE_DATA, CONSOLE_ROWS};
use crate::net::http::{Asked, Method, Reply, StatusCode, header};
use crate::os::clock;
use crate::proto::OpCode;
use crate::replica::Shared;
use crate::server::front::Front;
use crate::types::{Id, SessionId};

pub use crate::admin::console::escape;

/// The pages, by their paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// `/`.
    Overview,
    /// `/console/sessions`.
    Sessions,
    /// `/console/watches`.
    Watches,
    /// `/console/tree`.
    Tree,
    /// `/console/style.css`.
    Style,
    /// `/console/script.js`.
    Script,
}

impl Page {
    /// The page at this path.
    pub fn of(path: &str) -> Option<Page> {
        Some(match path {
            "/" | "/console" | "/console/" => Page::Overview,
            "/console/sessions" => Page::Sessions,
            "/console/watches" => Page::Watches,
            "/console/tree" => Page::Tree,
            "/console/style.css" => Page::Style,
            "/console/script.js" => Page::Script,
            _ => return None,
        })
    }
}

/// Who looks.
pub struct Looker<'a> {
    /// Who he is, if he has shown it.
    pub known: Option<&'a Known>,
    /// The schemes of ACLs.
    pub providers: &'a Providers,
    /// Where commands are.
    pub commands: &'a str,
}

impl Looker<'_> {
    fn name(&self) -> &str {
        self.known.map_or("without identity", |known| known.name.as_str())
    }

    fn identities(&self) -> Identities {
        let ids: &[Id] = self.known.map_or(&[], |known| known.ids.as_slice());
        ids.into()
    }
}

/// Answers a page.
pub fn page(page: Page, asked: &Asked, source: &LiveSource<'_>, front: &Front, looker: &Looker<'_>) -> Reply {
    if asked.method == Method::POST {
        return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "pages only look\n")
            .with(header::ALLOW, "GET, HEAD");
    }
    let typed = |content_type, text: &'static str| {
        let body = crate::net::http::ReplyBody::Bytes(text.into());
        guarded(Reply::new(StatusCode::OK, content_type, body))
    };
    let path = asked.parameter("path").filter(|path| !path.is_empty()).unwrap_or("/");
    let shared = front.serving().map(|serving| &serving.shared);
    let (title, at, body) = match page {
        Page::Style => return typed("text/css; charset=utf-8", console::STYLE),
        Page::Script => return typed("text/javascript; charset=utf-8", console::SCRIPT),
        Page::Overview => ("Overview", "/", overview(source, front).html()),
        Page::Sessions => ("Sessions", "/console/sessions", of_sessions(source, shared)),
        Page::Watches => ("Watches", "/console/watches", of_watches(source)),
        Page::Tree => (path, "/console/tree", tree(path, &znode(path, shared, looker))),
    };
    let mode = source.serving().then(|| source.server().mode);
    let frame = Frame { title, at, who: looker.name(), mode, commands: looker.commands };
    guarded(Reply::html(StatusCode::OK, frame.page(&body)))
}

/// What browsers are told about every page.
fn guarded(reply: Reply) -> Reply {
    reply
        .with(header::CONTENT_SECURITY_POLICY, console::POLICY)
        .with(header::X_FRAME_OPTIONS, "DENY")
        .with(header::REFERRER_POLICY, "no-referrer")
}

fn overview(source: &LiveSource<'_>, front: &Front) -> Overview {
    let now = clock::wall_ms();
    let mut expiries = Vec::new();
    for (port, ends) in front.certificates() {
        let what = format!("Certificate of the {port} port");
        expiries.push(Expiry { what, left_ms: ends.saturating_mul(1000) - now });
    }
    if let SessionsStatus::Tracker { global, .. } = source.sessions()
        && let Some((at, ids)) = global.buckets.first()
    {
        expiries.push(Expiry {
            what: format!("Next of {} sessions ({}), unless heard", global.len(), ids.len()),
            left_ms: at - now,
        });
    }
    let learners = front.face().map(|face| face.learners()).unwrap_or_default();
    Overview {
        serving: source.serving(),
        server: source.server(),
        gauges: source.gauges(),
        member: source.member(),
        followers: learners.into_iter().map(|l| Follows { server: l.server, acked: l.acked }).collect(),
        expiries,
    }
}

fn of_sessions(source: &LiveSource<'_>, shared: Option<&Arc<Shared>>) -> String {
    let Some(shared) = shared else { return sessions(&[], 0) };
    let now = clock::wall_ms();
    let mut lines = BTreeMap::new();
    let mut total = 0;
    let empty = |id| SessionLine {
        id,
        client: String::new(),
        who: String::new(),
        timeout_ms: 0,
        ephemerals: 0,
        left_ms: None,
    };
    match source.sessions() {
        SessionsStatus::Tracker { global, .. } => {
            total += global.len();
            let each = global.buckets.iter().flat_map(|(at, ids)| ids.iter().map(move |id| (*id, *at)));
            for (id, at) in each.take(CONSOLE_ROWS) {
                lines.insert(id, SessionLine { left_ms: Some(at - now), ..empty(id) });
            }
        }
        SessionsStatus::Learner { global, .. } => {
            total += global.len();
            for (id, timeout) in global.into_iter().take(CONSOLE_ROWS) {
                lines.insert(id, SessionLine { timeout_ms: timeout.into(), ..empty(id) });
            }
        }
    }
    for conn in shared.connections() {
        let Some(line) = lines.get_mut(&conn.session_id()) else { continue };
        line.client = conn.peer.to_string();
        line.timeout_ms = conn.session().map_or(0, |session| i64::from(session.timeout_ms()));
        line.who = conn.login().map(|login| login.principal.clone()).unwrap_or_default();
    }
    for line in lines.values_mut() {
        line.ephemerals = shared.store().tree.ephemerals(line.id.0).count();
    }
    sessions(&lines.into_values().collect::<Vec<_>>(), total)
}

fn of_watches(source: &LiveSource<'_>) -> String {
    let mut lines: Vec<WatchLine> = Vec::new();
    source.watches_by_path(&mut |item| {
        match item {
            Item::Path(_) if lines.len() == CONSOLE_ROWS => return ControlFlow::Break(()),
            Item::Path(path) => lines.push(WatchLine { path: path.to_owned(), sessions: 0 }),
            Item::Session(SessionId(_)) => {
                if let Some(line) = lines.last_mut() {
                    line.sessions += 1;
                }
            }
        }
        ControlFlow::Continue(())
    });
    watches(source.watch_summary(), &lines)
}

/// The znode, as far as its ACL lets the looker see it.
fn znode(path: &str, shared: Option<&Arc<Shared>>, looker: &Looker<'_>) -> Znode {
    let Some(shared) = shared else { return Znode::Missing };
    let identities = looker.identities();
    let caller = Caller { providers: looker.providers, identities: &identities };
    let may = |acl: &[crate::types::Acl], op: OpCode| match rule(op) {
        Rule::Node(bits) => any_of(acl, bits, caller),
        _ => false,
    };
    let store = shared.store();
    let Some(node) = store.tree.get(path) else { return Znode::Missing };
    let acl = node.acl();
    let told = may(acl, OpCode::GetAcl).then(|| match any_of(acl, SEES_HASHES, caller) {
        true => acl.to_vec(),
        false => masked(acl),
    });
    if !may(acl, OpCode::GetData) || !may(acl, OpCode::GetChildren2) {
        return Znode::Forbidden { acl: told };
    }
    let mut children: Vec<String> = node.children().take(CONSOLE_ROWS).map(str::to_owned).collect();
    let data = node.data().map(|data| data.get(..CONSOLE_DATA).unwrap_or(data).to_vec());
    let stat = node.stat();
    drop(store);
    children.sort_unstable();
    Znode::Shown { stat, data, acl: told.unwrap_or_default(), children }
}

//! `oxkeeper doctor sessions`: who is connected, since when, and until when its ticket lives.
//!
//! # Invariants
//!
//! * The server is asked over its local rescue socket, by root; nobody else learns names of users.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::Usage;
use super::codes::Doc;
use super::here::Here;
use super::report::{Finding, Report};
use crate::auth::reason::Reason;
use crate::limits::{RESCUE_PATIENCE_MS, SESSION_ROW_BYTES, SESSIONS_TOLD};
use crate::server::sessions::{SessionRow, Sessions};

/// Sessions that are named one by one.
const LISTED: usize = 200;

/// Who is connected, since when, and until when its ticket lives (root, on the server's machine)
#[derive(Debug, Clone, Args)]
pub struct SessionsArgs {
    /// The server's rescue.socket [default: that of the configuration]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// Looks.
///
/// # Errors
///
/// No socket is named.
pub fn run(args: &SessionsArgs, here: &Here, report: &mut Report) -> Result<(), Usage> {
    let socket = args.socket.clone().or_else(|| here.settings.safety.rescue_socket.clone());
    let socket = socket.ok_or_else(|| {
        Usage("the server tells its sessions over rescue.socket: set it in zoo.cfg, and name it by --config or --socket".into())
    })?;
    let told = match ask(&socket) {
        Ok(told) => told,
        Err(why) => {
            let what = format!("{}: {why}", socket.display());
            let cure = "as root, on the server's machine, with the server running and rescue.socket set";
            report.find(Finding::error(Doc::ServerUnreachable, what).cure(cure));
            return Ok(());
        }
    };
    report.fact("sessions", (told.sessions.len() + told.more).to_string());
    let logins = here.keytab().is_some() || told.sessions.iter().any(|row| row.mechanism.is_some());
    for row in told.sessions.iter().take(LISTED) {
        session(row, told.now_ms, logins, report);
    }
    refusals(&told, report);
    Ok(())
}

fn ask(socket: &Path) -> Result<Sessions, String> {
    let wrong = |e: std::io::Error| e.to_string();
    let mut stream = UnixStream::connect(socket).map_err(wrong)?;
    let patience = Some(Duration::from_millis(RESCUE_PATIENCE_MS));
    stream.set_read_timeout(patience).map_err(wrong)?;
    stream.set_write_timeout(patience).map_err(wrong)?;
    stream.write_all(b"sessions\n").map_err(wrong)?;
    let mut answer = String::new();
    let most = u64::try_from(SESSIONS_TOLD * SESSION_ROW_BYTES).unwrap_or(u64::MAX);
    stream.take(most).read_to_string(&mut answer).map_err(wrong)?;
    match answer.split_once(' ') {
        Some(("ok", json)) => serde_json::from_str(json).map_err(|e| format!("not understood: {e}")),
        Some((_, why)) => Err(format!("refused: {}", why.trim_end())),
        None => Err("no answer".to_owned()),
    }
}

fn session(row: &SessionRow, now_ms: i64, logins: bool, report: &mut Report) {
    let since = (now_ms - row.since_ms).max(0) / 1000;
    let who = row.principal.as_deref().unwrap_or("no SASL login");
    let mut value = format!("{who} from {}, connected for {since} s", row.peer);
    if let Some(ends) = row.ticket_ends {
        let left = ends - now_ms / 1000;
        match left > 0 {
            true => value.push_str(&format!(", ticket lives {left} s")),
            false => {
                let what = format!(
                    "{}: {who} from {} logged in {since} s ago, its ticket ended {} s ago",
                    row.session, row.peer, -left
                );
                report.find(Finding::warning(Doc::TicketEnded, what));
            }
        }
    }
    if row.mechanism.is_none() && logins {
        let what = format!("{} from {} has no sasl identity", row.session, row.peer);
        report.find(Finding::warning(Doc::Stranger, what));
    }
    report.fact(&row.session, value);
}

fn refusals(told: &Sessions, report: &mut Report) {
    for (code, count) in &told.refusals {
        report.fact(format!("refused {code}"), count.to_string());
        if code == Reason::KrbReplay.code() {
            report.find(Finding::warning(Doc::Replays, format!("{count} logins since the start")));
        }
    }
}

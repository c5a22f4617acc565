//! The rescue socket: root on this machine gives one session super rights for some minutes.
//!
//! The way out when nobody holds ADMIN any more, without a restart and without a superDigest
//! that is forgotten in a file. `oxkeeper rescue` speaks to it.
//!
//! # Invariants
//!
//! * The kernel says who is at the other end; only root (uid 0) is heard, whoever may open the
//!   socket's file.
//! * Rights are given to a connection that has a session, for at most [`RESCUE_MINUTES`], and
//!   end by themselves: with the time, with the connection, with the process.
//! * Begin and end are logged, audited and counted. Who is connected is told to root alone, too, and
//!   root alone has a leader hand its leadership over.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::Failure;
use super::audit::Audit;
use super::core::CoreMessage;
use super::front::Front;
use super::sessions::Sessions;
use crate::error::{Code, ExitCode};
use crate::limits::{RESCUE_LINE, RESCUE_LOOK_MS, RESCUE_MINUTES, RESCUE_PATIENCE_MS};
use crate::os::clock;
use crate::replica::member::MemberInput;
use crate::replica::{Conn, Phase};
use crate::types::decision::{Decision, Operation, Outcome, Who};
use crate::types::{ServerId, SessionId};

/// Opens the socket and answers on it until the task is aborted.
///
/// # Errors
///
/// The path cannot be bound; the text names it.
pub fn open(path: &Path, front: Arc<Front>, audit: Option<Audit>) -> Result<JoinHandle<()>, Failure> {
    let listener = bind(path).map_err(|e| {
        let cure = "give a path in a directory of this server's account, such as /run/oxkeeper/rescue.sock";
        Failure::new(ExitCode::Invocation, format!("config: rescue.socket: {}: {e}: {cure}", path.display()))
    })?;
    info!(path = %path.display(), "the rescue socket is open to root on this machine");
    let desk = Arc::new(Desk { front, audit });
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(Arc::clone(&desk).serve(stream))),
                Err(_) => sleep(Duration::from_millis(RESCUE_LOOK_MS)).await, // no descriptor left
            }
        }
    }))
}

/// A socket that nobody listens on any more is left over from a crash.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let left_over = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path).is_err();
    if left_over {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The other thing that can be asked: who is connected.
const SESSIONS: &str = "sessions";

/// And: hand the leadership over, to a member's number if one follows.
const TRANSFER: &str = "transfer";

/// What is asked: `super <session> <minutes>`.
#[derive(Debug, PartialEq, Eq)]
struct Ask {
    session: SessionId,
    minutes: u64,
}

impl Ask {
    fn parse(line: &str) -> Result<Ask, String> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["super", session, minutes] = words.as_slice() else {
            return Err("ask `super <session> <minutes>`".to_owned());
        };
        let digits = session.strip_prefix("0x").unwrap_or(session);
        let id = u64::from_str_radix(digits, 16).ok().filter(|id| *id != 0);
        let minutes = minutes.parse().ok().filter(|n| (1..=RESCUE_MINUTES).contains(n));
        match (id, minutes) {
            (None, _) => {
                Err("the session is a number such as 0x100000a1b2c0000; `cons` and `dump` list them".into())
            }
            (_, None) => Err(format!("minutes are 1 to {RESCUE_MINUTES}")),
            (Some(id), Some(minutes)) => Ok(Ask { session: SessionId(id.cast_signed()), minutes }),
        }
    }
}

struct Desk {
    front: Arc<Front>,
    audit: Option<Audit>,
}

impl Desk {
    async fn serve(self: Arc<Self>, stream: UnixStream) {
        let uid = stream.peer_cred().map(|who| who.uid());
        let answer = match uid {
            Ok(0) => {
                let (answer, granted) = self.listen(stream).await;
                if let Some((conn, length)) = granted {
                    self.keep(conn, length).await;
                }
                answer
            }
            Ok(uid) => {
                warn!(uid, "rescue refused: only root is heard");
                self.record(SessionId::NONE, &format!("uid {uid}"), Outcome::Denied, &[("step", "refused")]);
                say(stream, "refused only root is heard").await
            }
            Err(e) => {
                warn!("rescue refused: the system does not tell who asks: {e}");
                say(stream, "refused the system does not tell who asks").await
            }
        };
        if let Err(e) = answer {
            info!("rescue: {e}");
        }
    }

    /// One line in, one line out.
    async fn listen(&self, stream: UnixStream) -> (io::Result<()>, Option<(Arc<Conn>, Duration)>) {
        let mut reader = BufReader::new(stream.take(RESCUE_LINE));
        let mut line = String::new();
        let patience = Duration::from_millis(RESCUE_PATIENCE_MS);
        if timeout(patience, reader.read_line(&mut line)).await.is_err() {
            return (Err(io::ErrorKind::TimedOut.into()), None);
        }
        let stream = reader.into_inner().into_inner();
        if line.trim_end() == SESSIONS {
            let told = serde_json::to_string(&Sessions::of(&self.front));
            let text = told.map_or_else(|e| format!("refused {e}"), |json| format!("ok {json}"));
            return (say(stream, &text).await, None);
        }
        if let Some(to) = line.trim_end().strip_prefix(TRANSFER) {
            let text = match self.transfer(to.trim()).await {
                Ok(()) => "ok the leadership is handed over".to_owned(),
                Err(why) => format!("refused {why}"),
            };
            return (say(stream, &text).await, None);
        }
        match Ask::parse(&line).and_then(|ask| self.grant(&ask)) {
            Ok((conn, minutes)) => {
                let text = format!("ok {} has super rights for {minutes} minutes", conn.session_id());
                (say(stream, &text).await, Some((conn, Duration::from_secs(60 * minutes))))
            }
            Err(why) => {
                self.record(
                    SessionId::NONE,
                    "root",
                    Outcome::Failed,
                    &[("step", "refused"), ("detail", &why)],
                );
                (say(stream, &format!("refused {why}")).await, None)
            }
        }
    }

    /// Has this member hand its leadership over: to the member of this number, or to the one that
    /// is furthest.
    async fn transfer(&self, to: &str) -> Result<(), String> {
        let face = self.front.face().ok_or("this server is no member of an ensemble")?;
        let to = match to {
            "" => None,
            number => {
                Some(ServerId(number.parse().map_err(|_| format!("{number:?} is no server's number"))?))
            }
        };
        let core = self.front.core().ok_or("the server does not take part yet")?;
        let outcome = face.outcome();
        core.push(CoreMessage::Member(MemberInput::Transfer { to }));
        let patience = Duration::from_millis(RESCUE_PATIENCE_MS);
        let told = tokio::task::spawn_blocking(move || outcome.recv_timeout(patience)).await;
        let outcome =
            told.ok().and_then(Result::ok).unwrap_or_else(|| Err("it did not end in time".to_owned()));
        let (result, detail) = match &outcome {
            Ok(()) => (Outcome::Ok, ""),
            Err(why) => (Outcome::Failed, why.as_str()),
        };
        warn!(to = to.map_or(-1, |to| to.0), detail, "asked to hand the leadership over");
        self.record(SessionId::NONE, "root", result, &[("step", "transfer"), ("detail", detail)]);
        outcome
    }

    fn grant(&self, ask: &Ask) -> Result<(Arc<Conn>, u64), String> {
        let serving = self.front.serving().ok_or("the server is not serving")?;
        let holds = |conn: &Arc<Conn>| conn.session_id() == ask.session && conn.phase() == Phase::Established;
        let conn = serving.shared.connections().into_iter().find(holds);
        let conn = conn.ok_or_else(|| format!("no connection of session {} here", ask.session))?;
        if !conn.grant_super() {
            return Err(format!("session {} has super rights already", ask.session));
        }
        let minutes = ask.minutes.to_string();
        self.front.metrics.own.rescue_sessions.inc();
        warn!(session = %ask.session, peer = %conn.peer, minutes, "rescue: the session has super rights for a time");
        self.record(ask.session, "root", Outcome::Ok, &[("step", "begin"), ("minutes", &minutes)]);
        Ok((conn, ask.minutes))
    }

    /// Until the time is over, or the connection.
    async fn keep(&self, conn: Arc<Conn>, length: Duration) {
        let ends = clock::mono() + length;
        while conn.phase() != Phase::Closed {
            let left = ends.since(clock::mono());
            if left.is_zero() {
                break;
            }
            sleep(left.min(Duration::from_millis(RESCUE_LOOK_MS))).await;
        }
        conn.revoke_super();
        self.front.metrics.own.rescue_sessions.dec();
        warn!(session = %conn.session_id(), "rescue: the super rights of the session have ended");
        self.record(conn.session_id(), "root", Outcome::Ok, &[("step", "end")]);
    }

    fn record(&self, session: SessionId, user: &str, outcome: Outcome, extra: &[(&'static str, &str)]) {
        let Some(audit) = &self.audit else { return };
        let session = Some(session).filter(|id| *id != SessionId::NONE);
        let code = if outcome == Outcome::Ok { Code::Ok } else { Code::AuthFailed };
        let who = Who { session, user: Some(user), ..Who::default() };
        let decision = Decision::new(who, Operation::Rescue, code, 0);
        audit.decided(None, &Decision { outcome, extra, ..decision });
    }
}

async fn say(mut stream: UnixStream, text: &str) -> io::Result<()> {
    stream.write_all(format!("{text}\n").as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metrics, Provider};
    use crate::types::ConnId;

    #[test]
    fn only_whole_requests_within_bounds_are_understood() {
        let good = Ask { session: SessionId(0x1000_00a1), minutes: 5 };
        assert_eq!(Ask::parse("super 0x100000a1 5\n"), Ok(good));
        assert!(Ask::parse("super ffffffffffffffff 60").is_ok_and(|ask| ask.session == SessionId(-1)));
        let too_long = format!("super 0x1 {}", RESCUE_MINUTES + 1);
        for bad in [
            "",
            "super",
            "super 0x1",
            "super 0x0 5",
            "super 0x1 0",
            &too_long,
            "super 0x1 5 6",
            "grant 0x1 5",
            "super x 5",
        ] {
            assert!(Ask::parse(bad).is_err(), "{bad:?}");
        }
    }

    struct Nobody;

    impl crate::replica::Wake for Nobody {
        fn wake(&self) {}
    }

    fn desk() -> Desk {
        let settings = crate::config::Settings::default();
        let facts = super::super::status::Facts::new(&settings);
        let tls = super::super::secure::SecureClients::new(&settings).expect("no TLS");
        let front = Front::new(&settings, Arc::new(Metrics::new(Provider::Default)), facts, tls);
        Desk { front: Arc::new(front), audit: None }
    }

    #[tokio::test]
    async fn rights_end_with_their_time() {
        let desk = desk();
        let peer = ([127, 0, 0, 1], 1000).into();
        let conn = Conn::new(ConnId(1), peer, false, clock::now(), Box::new(Nobody));
        let is_super = || conn.identities().iter().any(|id| id.scheme == "super");
        assert!(conn.grant_super() && is_super());
        desk.front.metrics.own.rescue_sessions.inc();
        let begun = clock::mono();
        desk.keep(Arc::clone(&conn), Duration::from_millis(30)).await;
        assert!(clock::mono().since(begun) >= Duration::from_millis(30), "not before");
        assert!(!is_super(), "the connection stands, its rights do not");
        assert_eq!(conn.phase(), Phase::Fresh);
        assert_eq!(desk.front.metrics.own.rescue_sessions.get(), 0);
    }

    #[tokio::test]
    async fn a_left_over_socket_is_replaced_and_a_living_one_is_not() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("rescue.sock");
        drop(bind(&path).expect("bound"));
        let listener = bind(&path).expect("the left-over one is replaced");
        assert_eq!(std::fs::metadata(&path).expect("a socket").permissions().mode() & 0o777, 0o600);
        assert!(bind(&path).is_err());
        drop(listener);
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "a file").expect("written");
        assert!(bind(&path).is_err(), "a file is not replaced");
    }
}

//! The crowd: a process of its own that opens connections and does not go on, and logs in badly.
//!
//! It is a process so that it does not share the real-time class of generator and server: a flood comes from
//! elsewhere.
//!
//! # Invariants
//!
//! * Everything comes from one address, which is not that of the sessions that are measured.
//! * As many connections are half open as were asked for: one that the server closes is opened again.
//! * Its sockets end with a reset, so that its address does not run out of ports.

use std::fs;
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use super::login::SASL;
use crate::session::SESSION_MS;
use crate::wire;

/// Connections that are half open.
pub const HALF_OPEN: u64 = 10_000;
/// Bad logins a second.
pub const BAD_LOGINS: u64 = 500;
/// The first connections come at this rate, a second: the server closes them at the same.
const OPENED: u64 = 1000;
/// Where the crowd comes from.
const SOURCE: &str = "127.0.0.2:0";
/// How long a bad login waits for its end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause before a connection is opened again.
const AGAIN: Duration = Duration::from_millis(20);

/// What it did so far.
#[derive(Default)]
struct Done {
    open: AtomicU64,
    opened: AtomicU64,
    logins: AtomicU64,
}

/// Runs the crowd. Its input says `go`; it says `ready` when it is complete; at the end of its input it says how many
/// connections were half open in the mean since then, how many were opened in all, and how many bad logins were ended
/// by the server.
pub fn crowd(plain: &str, tls: &str, token: &Path) -> io::Result<()> {
    let address = |text: &str| text.parse::<SocketAddr>().map_err(io::Error::other);
    let (plain, tls, token) = (address(plain)?, address(tls)?, fs::read(token)?);
    let (said, hears) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if line.is_err() || said.send(()).is_err() {
                return;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, gather(plain, tls, token, hears))
}

async fn gather(
    plain: SocketAddr,
    tls: SocketAddr,
    token: Vec<u8>,
    mut hears: mpsc::UnboundedReceiver<()>,
) -> io::Result<()> {
    if hears.recv().await.is_none() {
        return Ok(());
    }
    let done = Arc::new(Done::default());
    for n in 0..HALF_OPEN {
        // Nothing, the head of a connect request, the head of a handshake.
        let (to, says): (_, &[u8]) = match n % 3 {
            0 => (plain, b""),
            1 => (plain, b"\0\0\0\x2d\0"),
            _ => (tls, b"\x16\x03\x01\x02\0"),
        };
        let pause = Duration::from_millis(n * 1000 / OPENED);
        tokio::task::spawn_local(half_open(to, says, pause, Arc::clone(&done)));
    }
    tokio::task::spawn_local(log_in_badly(plain, token, Arc::clone(&done)));
    // The server closes many at once, which takes a moment to make up for: the mean counts.
    let (mut looks, mut sum) = (0, 0);
    while timeout(Duration::from_millis(20), hears.recv()).await != Ok(None) {
        let open = done.open.load(Relaxed);
        if looks == 0 && open < HALF_OPEN * 98 / 100 {
            continue;
        }
        if looks == 0 {
            println!("ready");
        }
        (looks, sum) = (looks + 1, sum + open);
    }
    let [opened, logins] = [&done.opened, &done.logins].map(|n| n.load(Relaxed));
    println!("{} {opened} {logins}", sum / looks.max(1));
    Ok(())
}

async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SOURCE.parse().map_err(io::Error::other)?)?;
    let stream = socket.connect(to).await?;
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    Ok(stream)
}

/// Reads until the server closes.
async fn until_closed(stream: &mut TcpStream) {
    let mut buffer = [0; 256];
    while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
}

async fn half_open(to: SocketAddr, says: &'static [u8], pause: Duration, done: Arc<Done>) {
    sleep(pause).await;
    loop {
        if let Ok(mut stream) = connect(to).await {
            done.opened.fetch_add(1, Relaxed);
            done.open.fetch_add(1, Relaxed);
            if stream.write_all(says).await.is_ok() {
                until_closed(&mut stream).await;
            }
            done.open.fetch_sub(1, Relaxed);
        }
        sleep(AGAIN).await;
    }
}

/// One login after the other on the schedule: a recorded token, and one that is none, in turn.
async fn log_in_badly(to: SocketAddr, token: Vec<u8>, done: Arc<Done>) {
    let login = |token: &[u8]| {
        let mut bytes = wire::connect(SESSION_MS);
        bytes.extend(wire::request(1, SASL, |out| {
            out.buf(token);
        }));
        bytes
    };
    let noise: Vec<u8> = token.iter().map(|byte| byte ^ 0x5a).collect();
    let logins = [Rc::new(login(&token)), Rc::new(login(&noise))];
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / BAD_LOGINS));
    for login in logins.iter().cycle() {
        tick.tick().await;
        let (login, done) = (Rc::clone(login), Arc::clone(&done));
        tokio::task::spawn_local(async move {
            let Ok(mut stream) = connect(to).await else { return };
            let whole = async {
                if stream.write_all(&login).await.is_ok() {
                    until_closed(&mut stream).await;
                }
            };
            if timeout(PATIENCE, whole).await.is_ok() {
                done.logins.fetch_add(1, Relaxed);
            }
        });
    }
}

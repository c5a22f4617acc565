//! `oxkeeper rescue`: gives a session of the running server super rights for some minutes.
//!
//! # Invariants
//!
//! * Ends with 0 when the server gave the rights, with 1 when it refused, with 2 when nobody
//!   could be asked.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::config::EXIT_BAD_CONFIG;
use crate::limits::{RESCUE_LINE, RESCUE_PATIENCE_MS};

/// Give one session super rights for some minutes (root only, on the server's machine)
///
/// For the case that nobody can change an ACL any more. The server has to have the key
/// rescue.socket; what is done is in its log and in its audit log.
#[derive(Debug, Clone, Args)]
pub struct RescueArgs {
    /// The server's rescue.socket
    #[arg(long, value_name = "PATH", default_value = "/run/oxkeeper/rescue.sock")]
    pub socket: PathBuf,
    /// The session, as `cons` and `dump` show it
    #[arg(long, value_name = "0x…")]
    pub session: String,
    /// How long
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub minutes: u32,
}

/// Runs `oxkeeper rescue`; returns the exit code.
pub fn run(args: &RescueArgs) -> i32 {
    if args.session.contains(char::is_whitespace) {
        eprintln!("oxkeeper rescue: a session is a number such as 0x100000a1b2c0000");
        return EXIT_BAD_CONFIG;
    }
    match ask(&args.socket, &format!("super {} {}\n", args.session, args.minutes)) {
        Ok(answer) => match answer.trim_end().split_once(' ') {
            Some(("ok", text)) => {
                println!("{text}");
                0
            }
            Some((_, why)) => {
                eprintln!("oxkeeper rescue: refused: {why}");
                1
            }
            None => {
                eprintln!("oxkeeper rescue: the server did not answer");
                1
            }
        },
        Err(e) => {
            let socket = args.socket.display();
            eprintln!(
                "oxkeeper rescue: {socket}: {e}: be root, on the server's machine, and give its rescue.socket"
            );
            EXIT_BAD_CONFIG
        }
    }
}

pub(super) fn ask(socket: &Path, request: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    let patience = Some(Duration::from_millis(2 * RESCUE_PATIENCE_MS));
    stream.set_read_timeout(patience)?;
    stream.set_write_timeout(patience)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(RESCUE_LINE).read_to_string(&mut answer)?;
    Ok(answer)
}

//! `oxkeeper transfer`: has the leader that runs here hand its leadership over.
//!
//! # Invariants
//!
//! * Ends with 0 when another member leads, with 1 when the server refused or it did not work
//!   out, with 2 when nobody could be asked.

use std::path::PathBuf;

use clap::Args;

use super::rescue::ask;
use crate::config::EXIT_BAD_CONFIG;

/// Hand the leadership over to another member (root only, on the leader's machine)
///
/// Before maintenance: writes pause for some milliseconds, no election is waited for. SIGTERM does
/// the same by itself. The server has to have the key rescue.socket.
#[derive(Debug, Clone, Args)]
pub struct TransferArgs {
    /// The server's rescue.socket
    #[arg(long, value_name = "PATH", default_value = "/run/oxkeeper/rescue.sock")]
    pub socket: PathBuf,
    /// The number of the member that shall lead; without it, the one that is furthest
    #[arg(long, value_name = "N")]
    pub to: Option<u32>,
}

/// Runs `oxkeeper transfer`; returns the exit code.
pub fn run(args: &TransferArgs) -> i32 {
    let to = args.to.map(|id| format!(" {id}")).unwrap_or_default();
    match ask(&args.socket, &format!("transfer{to}\n")) {
        Ok(answer) => match answer.trim_end().split_once(' ') {
            Some(("ok", text)) => {
                println!("{text}");
                0
            }
            Some((_, why)) => {
                eprintln!("oxkeeper transfer: refused: {why}");
                1
            }
            None => {
                eprintln!("oxkeeper transfer: the server did not answer");
                1
            }
        },
        Err(e) => {
            let socket = args.socket.display();
            eprintln!(
                "oxkeeper transfer: {socket}: {e}: be root, on the leader's machine, and give its rescue.socket"
            );
            EXIT_BAD_CONFIG
        }
    }
}

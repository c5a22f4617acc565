//! Command lines of this project's binary.

use std::path::Path;
use std::process::Command;

use super::Server;
use super::server::{Kind, Spec};

/// The binary under test.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_oxkeeper"))
}

/// Starts `oxkeeper serve` and waits until it serves.
///
/// # Errors
/// The log of a server that did not come up.
pub fn start(spec: &Spec) -> Result<Server, String> {
    Server::start(Kind::Oxkeeper, spec)
}

/// `oxkeeper <args>`.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(args);
    command
}

/// `oxkeeper serve`.
pub fn serve_command(spec: &Spec, config: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg("serve").args(&spec.flags).arg(config);
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    command
}

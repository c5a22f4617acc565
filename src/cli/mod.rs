//! The command line: `oxkeeper <command> …`.
//!
//! A command is a file of this room with its arguments and `pub fn run(..) -> i32`, the
//! exit code, and one variant of [`Command`] here. Commands whose flags are ZooKeeper's
//! own (`-server host:port`) take their words raw: see [`Raw`].
//!
//! # Invariants
//!
//! * A wrong invocation ends with 2, ZooKeeper's `INVALID_INVOCATION`; help and version with 0.

pub mod against;
pub mod audit;
pub mod check;
pub mod configuration;
pub mod doctor;
pub mod dump;
pub mod fsck;
pub mod init;
pub mod rescue;
pub mod serve;
pub mod shell;
pub mod status;
pub mod transfer;

use clap::{Args, Parser, Subcommand};

/// Words that a command parses by itself, flags with one dash among them.
#[derive(Debug, Clone, Args)]
#[command(disable_help_flag = true)]
pub struct Raw {
    /// Everything behind the command's name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// A coordination server: drop-in replacement for Apache ZooKeeper
#[derive(Debug, Parser)]
#[command(name = "oxkeeper", version, propagate_version = false)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
enum Command {
    Audit(audit::AuditArgs),
    Check(check::CheckArgs),
    Doctor(Box<doctor::DoctorArgs>),
    Dump(dump::DumpArgs),
    Fsck(fsck::FsckArgs),
    Init(init::InitArgs),
    Rescue(rescue::RescueArgs),
    Serve(serve::ServeArgs),
    /// zkCli.sh's commands, flags and texts: one-shot with a command, interactive without
    Shell(Raw),
    /// Is the server of a configuration serving? Prints what zkServer.sh status prints
    Status(Raw),
    Transfer(transfer::TransferArgs),
}

impl Command {
    fn run(&self) -> i32 {
        match self {
            Command::Audit(args) => audit::run(args),
            Command::Check(args) => check::run(args),
            Command::Doctor(args) => doctor::run(args),
            Command::Dump(args) => dump::run(args),
            Command::Fsck(args) => fsck::run(args),
            Command::Init(args) => init::run(args),
            Command::Rescue(args) => rescue::run(args),
            Command::Serve(args) => serve::run(args),
            Command::Shell(raw) => shell::run(&raw.words),
            Command::Status(raw) => status::run(&raw.words),
            Command::Transfer(args) => transfer::run(args),
        }
    }
}

/// Runs the command that this process was called with; its exit code.
pub fn main() -> i32 {
    #[cfg(feature = "mutants")]
    if let Ok(name) = std::env::var("OXKEEPER_MUTANT") {
        crate::types::mutant::everywhere(name);
    }
    match CommandLine::try_parse() {
        Ok(line) => line.command.run(),
        Err(e) => {
            let _ = e.print(); // a closed terminal changes nothing about the verdict
            e.exit_code()
        }
    }
}

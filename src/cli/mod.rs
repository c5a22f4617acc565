//! The command line: `oxkeeper <command> …`.
//!
//! A command is a file of this room with its arguments and `pub fn run(..) -> i32`, the
//! exit code, and one variant of [`Command`] here. Commands whose flags are ZooKeeper's
//! own (`-server host:port`) take their words raw: see [`Raw`].
//!
//! # Invariants
//!
//! * A wrong invocation ends with 2, ZooKeeper's `INVALID_INVOCATION`; help and version with 0.

pub mod acl;
pub mod against;
pub mod archive;
pub mod audit;
pub mod backup;
pub mod check;
pub mod configuration;
pub mod diff;
pub mod directories;
pub mod doctor;
pub mod dump;
#[cfg(test)]
mod errors_page;
pub mod fault;
pub mod fsck;
pub mod generate;
pub mod init;
pub mod logging;
pub mod past;
pub mod progress;
pub mod purge;
pub mod rescue;
pub mod restore;
pub mod serve;
pub mod shell;
pub mod status;
pub mod toolkit;
pub mod transfer;
pub mod walking;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::types::version::LONG_VERSION;

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
#[command(name = "oxkeeper", version, long_version = LONG_VERSION, propagate_version = false)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
enum Command {
    Acl(Box<acl::AclArgs>),
    Audit(audit::AuditArgs),
    Backup(backup::BackupArgs),
    Check(check::CheckArgs),
    Diff(Box<diff::DiffArgs>),
    Doctor(Box<doctor::DoctorArgs>),
    Dump(dump::DumpArgs),
    Fsck(fsck::FsckArgs),
    #[command(hide = true)]
    Generate(generate::GenerateArgs),
    Init(init::InitArgs),
    /// Remove old snapshots and logs: [dataLogDir] snapDir -n count, as zkCleanup.sh
    Purge(Raw),
    Rescue(rescue::RescueArgs),
    Restore(Box<restore::RestoreArgs>),
    Serve(serve::ServeArgs),
    /// zkCli.sh's commands, flags and texts: one-shot with a command, interactive without
    Shell(Raw),
    /// Is the server of a configuration serving? Prints what zkServer.sh status prints
    Status(Raw),
    Transfer(transfer::TransferArgs),
    /// zkTxnLogToolkit.sh's flags and texts: print, repair or chop a transaction log
    Txnlog(Raw),
}

impl Command {
    fn run(&self) -> i32 {
        match self {
            Command::Acl(args) => acl::run(args),
            Command::Audit(args) => audit::run(args),
            Command::Backup(args) => backup::run(args),
            Command::Check(args) => check::run(args),
            Command::Diff(args) => diff::run(args),
            Command::Doctor(args) => doctor::run(args),
            Command::Dump(args) => dump::run(args),
            Command::Fsck(args) => fsck::run(args),
            Command::Generate(args) => generate::run(args, CommandLine::command()),
            Command::Init(args) => init::run(args),
            Command::Purge(raw) => purge::run(&raw.words),
            Command::Rescue(args) => rescue::run(args),
            Command::Restore(args) => restore::run(args),
            Command::Serve(args) => serve::run(args),
            Command::Shell(raw) => shell::run(&raw.words),
            Command::Status(raw) => status::run(&raw.words),
            Command::Transfer(args) => transfer::run(args),
            Command::Txnlog(raw) => toolkit::run(&raw.words),
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

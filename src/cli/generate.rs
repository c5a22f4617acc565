//! `oxkeeper generate`: man pages and shell completions, out of the command line itself. What packages ship is made
//! by the binary that they ship, so that it cannot be out of date.
//!
//! # Invariants
//!
//! * The same binary writes the same bytes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, Subcommand};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

/// Write man pages or shell completions into a directory
#[derive(Debug, Clone, Args)]
pub struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// oxkeeper.1 and a page a command
    Man {
        /// Where; must exist
        directory: PathBuf,
    },
    /// For bash, zsh, fish and others
    Completions {
        /// Which shell
        shell: Shell,
        /// Where; must exist
        directory: PathBuf,
    },
}

/// Runs `oxkeeper generate` for `command`; returns the exit code.
pub fn run(args: &GenerateArgs, command: Command) -> i32 {
    let done = match &args.what {
        What::Man { directory } => man(command, directory),
        What::Completions { shell, directory } => {
            let mut command = command;
            generate_to(*shell, &mut command, "oxkeeper", directory).map(drop)
        }
    };
    match done {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("oxkeeper generate: {e}; name a directory that is there and writable");
            1
        }
    }
}

/// A page of everything, and one a visible command.
fn man(command: Command, directory: &Path) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let mut command = command.disable_help_subcommand(true).version(version);
    command.build();
    page(command.clone(), directory, "oxkeeper")?;
    for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
        let name = format!("oxkeeper-{}", part.get_name());
        page(part.clone().version(version), directory, &name)?;
    }
    Ok(())
}

fn page(command: Command, directory: &Path, name: &str) -> io::Result<()> {
    // A page's name is one word, and clap wants it for as long as the program runs.
    let leaked: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let man = Man::new(command.name(leaked))
        .title(name)
        .section("1")
        .source(concat!("oxkeeper ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text)?;
    fs::write(directory.join(format!("{name}.1")), text)
}

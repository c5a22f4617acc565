//! The loop over lines: an editor on a terminal, plain reading otherwise.
//!
//! # Invariants
//!
//! * Lines that may carry a password are not written to the history file.

use super::complete::{Completion, children_of};
use super::{Next, Shell};
use crate::limits::SHELL_HISTORY_LINES;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor, ExternalPrinter as _};
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Reads and carries out lines until `quit` or the end of the input.
pub fn run(shell: &mut Shell) {
    if !shell.voice.json {
        println!("Welcome to ZooKeeper!\nJLine support is enabled");
    }
    shell.settle();
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        match edited(shell) {
            Ok(()) => return,
            Err(e) => eprintln!("no line editor on this terminal ({e}), reading plain lines"),
        }
    }
    plain(shell);
}

/// Prompts are printed although nobody may see them, as zkCli.sh does.
fn plain(shell: &mut Shell) {
    let stdin = std::io::stdin();
    let mut line = String::new();
    loop {
        if !shell.voice.json {
            print!("{}", shell.prompt());
            let _ = std::io::stdout().flush();
        }
        line.clear();
        match stdin.lock().read_line(&mut line) {
            Ok(n) if n > 0 => {}
            _ => break,
        }
        if shell.line(line.trim_end_matches(['\n', '\r'])) == Next::Quit {
            return;
        }
    }
    if !shell.voice.json {
        println!();
    }
}

fn edited(shell: &mut Shell) -> rustyline::Result<()> {
    let config = Config::builder()
        .max_history_size(SHELL_HISTORY_LINES)?
        .completion_type(CompletionType::List)
        .color_mode(ColorMode::Disabled)
        .build();
    let mut editor: Editor<Completion, FileHistory> = Editor::with_config(config)?;
    let children = Arc::new(Mutex::new(children_of(shell.zk())));
    editor.set_helper(Some(Completion { children: children.clone() }));
    let file = history_file();
    if let Some(file) = &file {
        let _ = editor.load_history(file);
    }
    let mut printer = editor.create_external_printer()?;
    if let Ok(mut print) = shell.watching.print.lock() {
        *print = Box::new(move |text| {
            let _ = printer.print(text);
        });
    }
    loop {
        let line = match editor.readline(&shell.prompt()) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(e) => return Err(e),
        };
        if !line.trim_start().starts_with("addauth") {
            let _ = editor.add_history_entry(line.as_str());
        }
        let next = shell.line(&line);
        if let Ok(mut children) = children.lock() {
            *children = children_of(shell.zk());
        }
        if next == Next::Quit {
            break;
        }
    }
    if let Some(file) = &file {
        let _ = editor.append_history(file);
    }
    Ok(())
}

/// `~/.oxkeeper_history`; none without a home.
fn history_file() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(|home| {
        let mut path = PathBuf::from(home);
        path.push(".oxkeeper_history");
        path
    })
}

//! Completion of the line being edited: commands, and paths that exist.
//!
//! # Invariants
//!
//! * Completion never changes anything, and gives up soon on a server that is slow.

use super::reads::sort;
use super::table::COMMANDS;
use super::walk::child;
use crate::client::Client;
use crate::limits::SHELL_COMPLETION_MS;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Asks the session of the moment for children.
pub type Children = Box<dyn Fn(&str) -> Vec<String> + Send>;

/// The helper of the line editor.
pub struct Completion {
    /// Children of a path; replaced when the shell connects elsewhere.
    pub children: Arc<Mutex<Children>>,
}

/// Children of a path through `client`, none after a short wait.
pub fn children_of(client: Client) -> Children {
    Box::new(move |path| {
        let (client, path) = (client.clone(), path.to_owned());
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
            return Vec::new();
        };
        let limit = Duration::from_millis(SHELL_COMPLETION_MS);
        let asked = async move { tokio::time::timeout(limit, client.children(&path, false)).await };
        runtime.block_on(asked).ok().and_then(Result::ok).unwrap_or_default()
    })
}

/// Where the word under the cursor begins, and what it could become.
pub fn candidates(before: &str, children: &dyn Fn(&str) -> Vec<String>) -> (usize, Vec<String>) {
    let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = before.get(start..).unwrap_or_default();
    if !word.starts_with('/') {
        let names = COMMANDS.iter().map(|c| c.name).filter(|n| n.starts_with(word));
        return (start, names.map(|n| format!("{n} ")).collect());
    }
    let cut = word.rfind('/').unwrap_or(0);
    let directory = if cut == 0 { "/" } else { word.get(..cut).unwrap_or("/") };
    let prefix = word.get(cut + 1..).unwrap_or_default();
    let mut names = children(directory);
    sort(&mut names);
    let found = names.iter().filter(|n| n.starts_with(prefix)).map(|n| child(directory, n)).collect();
    (start, found)
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..pos).unwrap_or(line);
        Ok(match self.children.lock() {
            Ok(children) => candidates(before, &*children),
            Err(_) => (pos, Vec::new()),
        })
    }
}

impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_paths_are_completed() {
        let tree = |path: &str| match path {
            "/" => vec!["zookeeper".to_owned(), "app".to_owned()],
            "/app" => vec!["b".to_owned(), "a".to_owned()],
            _ => Vec::new(),
        };
        assert_eq!(candidates("getA", &tree), (0, vec!["getAcl ".into(), "getAllChildrenNumber ".into()]));
        assert_eq!(candidates("ls /", &tree), (3, vec!["/app".into(), "/zookeeper".into()]));
        assert_eq!(candidates("ls -s /app/", &tree), (6, vec!["/app/a".into(), "/app/b".into()]));
        assert_eq!(candidates("get /zo", &tree), (4, vec!["/zookeeper".into()]));
        assert_eq!(candidates("get /nope/", &tree), (4, vec![]));
    }
}

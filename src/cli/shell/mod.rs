//! `oxkeeper shell`: zkCli.sh's commands, flags, texts and exit codes.
//!
//! One-shot with a command behind the flags, interactive without. `--json` turns
//! answers into one JSON object a line.
//!
//! # Invariants
//!
//! * Answers go to standard output, remarks and failures to standard error, as in
//!   zkCli.sh; with `--json` everything goes to standard output.
//! * The exit code is that of the last command: 0, 1, or 127 for an unknown one.

pub mod acl;
mod answer;
mod complete;
mod interactive;
mod link;
mod localtime;
mod messages;
mod options;
mod quota;
mod reads;
mod session;
mod startup;
mod table;
mod walk;
mod watching;
mod writes;

use crate::client::{Client, ClientError};
use crate::kerberos::use_krb5_conf;
use crate::limits::SHELL_SETTLE_MS;
use answer::{Answer, Failure, Voice};
use link::{Link, Watching};
use startup::Startup;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Exit code of a command that nobody knows.
const NOT_FOUND: i32 = 127;
/// Exit code of a wrong invocation.
const BAD_INVOCATION: i32 = 2;

/// The flags of logins, which zkCli.sh does not have.
const LOGIN_HELP: &str = "Login: --keytab FILE --principal NAME, --ccache NAME, --kerberos (the default ticket \
                          cache) or --user NAME --password-file FILE; --server-principal NAME; or zkCli.sh's \
                          -Djava.security.auth.login.config=FILE and the like";

/// What a line means for the loop that read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// The next line.
    Go,
    /// The end.
    Quit,
}

/// The shell's state.
pub struct Shell {
    startup: Startup,
    voice: Voice,
    watching: Watching,
    link: Link,
    host: String,
    history: Vec<String>,
    /// Number of the line being carried out.
    count: usize,
    /// Exit code of the last command.
    exit: i32,
}

/// Runs the shell with the arguments behind `shell`; the exit code.
pub fn run(args: &[String]) -> i32 {
    let (mut startup, complaint) = Startup::parse(args);
    startup.environment(|name| std::env::var(name).ok());
    let voice = Voice { json: startup.json };
    if let Some(complaint) = complaint {
        voice.say(&Answer::Note(complaint));
    }
    if startup.help {
        voice.say(&Answer::Line("usage", table::overview().trim_end_matches('\n').to_owned()));
        voice.say(&Answer::Line("login", LOGIN_HELP.to_owned()));
        return 0;
    }
    // Before the first thread: the Kerberos library is told its krb5.conf by the environment alone.
    let krb5_conf = startup.login.property("java.security.krb5.conf").map(Path::new);
    if let Err(why) = krb5_conf.map_or(Ok(()), use_krb5_conf) {
        Failure { message: why.to_string(), exit: BAD_INVOCATION, code: None }.tell(voice);
        return BAD_INVOCATION;
    }
    if !voice.json {
        voice.say(&Answer::Line("connecting", format!("Connecting to {}", startup.server)));
    }
    let command = startup.command.clone();
    let mut shell = match Shell::start(startup, voice) {
        Ok(shell) => shell,
        Err(failure) => {
            failure.tell(voice);
            return failure.exit;
        }
    };
    match command {
        Some(words) => {
            shell.process(&words);
        }
        None => interactive::run(&mut shell),
    }
    shell.exit
}

/// Takes a line apart as the shell would, and does nothing: the command's words without its
/// flags, or what it would say.
pub fn understand(line: &str) -> Result<Vec<String>, String> {
    let words = options::split_line(line);
    let name = words.first().map(String::as_str).unwrap_or_default();
    let command = table::find(name).ok_or_else(|| format!("Command not found: Command not found {name}"))?;
    table::parse(command, &words).map(|(parsed, _)| parsed.args).map_err(|failure| failure.message)
}

/// Takes the arguments of `oxkeeper shell` apart and does nothing: the command in them, if
/// there is one.
pub fn understand_arguments(args: &[String]) -> Option<Vec<String>> {
    Startup::parse(args).0.command
}

impl Shell {
    fn start(startup: Startup, voice: Voice) -> Result<Shell, Failure> {
        // The one object that a program asks for should be the one that it gets.
        let states = !(voice.json && startup.command.is_some());
        let watching = Watching::new(voice, states);
        let host = startup.server.clone();
        let link = link_to(&startup, &host, &watching)?;
        Ok(Shell { startup, voice, watching, link, host, history: Vec::new(), count: 0, exit: 0 })
    }

    /// Ends the session of the moment and starts one with `host`.
    fn connect(&mut self, host: &str) -> Result<(), Failure> {
        self.wait(self.zk().close());
        self.link = link_to(&self.startup, host, &self.watching)?;
        host.clone_into(&mut self.host);
        Ok(())
    }

    /// Lets a fresh session stand before the next prompt, if it does so at once.
    fn settle(&self) {
        let _ = self.wait(self.zk().wait_connected(Duration::from_millis(SHELL_SETTLE_MS)));
    }

    /// The session's handle.
    fn zk(&self) -> Client {
        self.link.client().clone()
    }

    /// Waits for an operation about `path`.
    fn run<T>(
        &self,
        path: &str,
        operation: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Failure> {
        self.wait(operation).map_err(|e| Failure::about(&e, path))
    }

    fn wait<F: Future>(&self, operation: F) -> F::Output {
        self.link.wait(operation)
    }

    fn say(&self, answer: Answer) {
        self.voice.say(&answer);
    }

    fn prompt(&self) -> String {
        format!("[zk: {}({}) {}] ", self.host, self.link.state_name(), self.count)
    }

    /// Carries out one line of an interactive session.
    fn line(&mut self, line: &str) -> Next {
        let words = options::split_line(line);
        if words.is_empty() {
            return Next::Go;
        }
        self.history.push(line.to_owned());
        let next = self.process(&words);
        self.count += 1;
        next
    }

    /// Carries out one command and keeps its exit code.
    fn process(&mut self, words: &[String]) -> Next {
        match self.dispatch(words) {
            Ok(Next::Go) => {
                self.exit = 0;
                Next::Go
            }
            Ok(Next::Quit) => Next::Quit,
            Err(failure) => {
                failure.tell(self.voice);
                self.exit = failure.exit;
                Next::Go
            }
        }
    }

    fn dispatch(&mut self, words: &[String]) -> Result<Next, Failure> {
        let name = words.first().map(String::as_str).unwrap_or_default();
        let Some(command) = table::find(name) else {
            if !self.voice.json {
                self.say(Answer::Note(table::overview().trim_end_matches('\n').to_owned()));
            }
            let message = format!("Command not found: Command not found {name}");
            return Err(Failure { message, exit: NOT_FOUND, code: None });
        };
        let argument = words.get(1).map(String::as_str);
        match name {
            "quit" => {
                self.wait(self.zk().close());
                return Ok(Next::Quit);
            }
            "redo" => {
                if let Some(number) = argument {
                    self.redo(number)?;
                }
            }
            "history" => self.show_history(),
            "printwatches" => self.print_watches(argument),
            "connect" => {
                let host = argument.map_or_else(|| self.host.clone(), str::to_owned);
                self.connect(&host)?;
            }
            _ => {}
        }
        if !self.link.is_alive() {
            self.say(Answer::Line("state", "Not connected".into()));
            return Ok(Next::Go);
        }
        if let Some(run) = command.run {
            let (parsed, note) = table::parse(command, words)?;
            if let Some(note) = note {
                self.say(Answer::Note(note));
            }
            run(self, &parsed)?;
        }
        Ok(Next::Go)
    }

    fn redo(&mut self, number: &str) -> Result<(), Failure> {
        let wrong = || Failure::usage("Command index out of range");
        let number: i64 =
            number.parse().map_err(|_| Failure::usage(format!("For input string: \"{number}\"")))?;
        let index = usize::try_from(number).ok().filter(|n| *n < self.count).ok_or_else(wrong)?;
        let line = self.history.get(index).cloned().ok_or_else(wrong)?;
        let words = options::split_line(&line);
        if words.first().is_some_and(|w| w == "redo") {
            return Err(Failure::usage("No redoing redos"));
        }
        if let Some(own) = self.history.get_mut(self.count) {
            *own = line;
        }
        self.process(&words);
        Ok(())
    }

    fn show_history(&self) {
        for i in self.count.saturating_sub(10)..=self.count {
            let line = self.history.get(i).map_or("null", String::as_str);
            self.say(Answer::Line("history", format!("{i} - {line}")));
        }
    }

    fn print_watches(&self, argument: Option<&str>) {
        let on = &self.watching.on;
        match argument {
            None => {
                let now = if on.load(Ordering::Relaxed) { "on" } else { "off" };
                self.say(Answer::Line("printwatches", format!("printwatches is {now}")));
            }
            Some(word) => on.store(word == "on", Ordering::Relaxed),
        }
    }
}

fn link_to(startup: &Startup, host: &str, watching: &Watching) -> Result<Link, Failure> {
    let wrong = |e: ClientError| Failure { message: e.to_string(), exit: BAD_INVOCATION, code: None };
    let config = startup.client(host).map_err(wrong)?;
    let limit = config.timeout;
    let link = Link::start(config, watching.clone()).map_err(wrong)?;
    if startup.wait
        && let Err(e) = link.wait(link.client().wait_connected(limit))
    {
        link.wait(link.client().close());
        return Err(Failure { message: e.to_string(), exit: 1, code: Some(e.code()) });
    }
    Ok(link)
}

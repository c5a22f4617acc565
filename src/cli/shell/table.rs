//! The commands: names, usages, flags, and what runs them.
//!
//! # Invariants
//!
//! * Names, usages and flags are those of ZooKeeper 3.9.5's `CommandFactory`.

use super::Shell;
use super::answer::Failure;
use super::options::{Flag, Flags, Parsed};
use super::{quota, reads, session, watching, writes};

/// What carries a command out.
pub type Run = fn(&mut Shell, &Parsed) -> Result<(), Failure>;

/// One command.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Its arguments in the usage text.
    pub usage: &'static str,
    /// Its flags.
    pub flags: Flags,
    /// Does its usage list the flags?
    pub lists_flags: bool,
    /// Words it needs, itself included.
    pub words: usize,
    /// Words it takes, itself included.
    pub most: usize,
    /// An outdated third word meant `-w`.
    pub old_watch: bool,
    /// What carries it out; `None`: the shell itself.
    pub run: Option<Run>,
}

impl Command {
    /// The text of a usage error.
    pub fn usage_text(&self) -> String {
        let line = format!("{} {}", self.name, self.usage);
        if self.lists_flags { format!("{line}\n{}", super::options::help(self.flags)) } else { line }
    }
}

const fn flag(name: &'static str, help: &'static str) -> Flag {
    Flag { name, value: false, help }
}

const fn valued(name: &'static str, help: &'static str) -> Flag {
    Flag { name, value: true, help }
}

const fn flags(list: &'static [Flag]) -> Flags {
    Flags { list, exclusive: false, required: false }
}

const PLAIN: Command = Command {
    name: "",
    usage: "",
    flags: flags(&[]),
    lists_flags: false,
    words: 1,
    most: usize::MAX,
    old_watch: false,
    run: None,
};

/// Every command in alphabetical order.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "addWatch",
        usage: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is \
                PERSISTENT_RECURSIVE",
        flags: flags(&[valued("m", "")]),
        words: 2,
        most: 2,
        run: Some(watching::add_watch),
        ..PLAIN
    },
    Command { name: "addauth", usage: "scheme auth", words: 2, run: Some(session::add_auth), ..PLAIN },
    Command { name: "close", run: Some(session::close), ..PLAIN },
    Command {
        name: "config",
        usage: "[-c] [-w] [-s]",
        flags: flags(&[flag("s", "stats"), flag("w", "watch"), flag("c", "client connection string")]),
        run: Some(reads::config),
        ..PLAIN
    },
    Command { name: "connect", usage: "host:port", ..PLAIN },
    Command {
        name: "create",
        usage: "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
        flags: flags(&[
            flag("e", "ephemeral"),
            flag("s", "sequential"),
            flag("c", "container"),
            valued("t", "ttl"),
        ]),
        words: 2,
        run: Some(writes::create),
        ..PLAIN
    },
    Command {
        name: "delete",
        usage: "[-v version] path",
        flags: flags(&[valued("v", "version")]),
        words: 2,
        run: Some(writes::delete),
        ..PLAIN
    },
    Command {
        name: "deleteall",
        usage: "path [-b batch size]",
        flags: flags(&[valued("b", "batch size")]),
        words: 2,
        run: Some(writes::delete_all),
        ..PLAIN
    },
    Command {
        name: "delquota",
        usage: "[-n|-b|-N|-B] path",
        flags: Flags {
            list: &[
                flag("n", "num soft quota"),
                flag("b", "bytes soft quota"),
                flag("N", "num hard quota"),
                flag("B", "bytes hard quota"),
            ],
            exclusive: true,
            required: false,
        },
        words: 2,
        run: Some(quota::delete),
        ..PLAIN
    },
    Command {
        name: "get",
        usage: "[-s] [-w] [-b] [-x] path",
        flags: flags(&[
            flag("s", "Print znode stats additionally"),
            flag("w", "Watch for changes on the znode"),
            flag("b", "Output data in base64 format"),
            flag("x", "Output data in hexdump format"),
        ]),
        lists_flags: true,
        words: 2,
        old_watch: true,
        run: Some(reads::get),
        ..PLAIN
    },
    Command {
        name: "getAcl",
        usage: "[-s] path",
        flags: flags(&[flag("s", "stats")]),
        words: 2,
        run: Some(reads::get_acl),
        ..PLAIN
    },
    Command {
        name: "getAllChildrenNumber",
        usage: "path",
        words: 2,
        run: Some(reads::all_children_number),
        ..PLAIN
    },
    Command { name: "getEphemerals", usage: "path", run: Some(reads::ephemerals), ..PLAIN },
    Command { name: "history", ..PLAIN },
    Command { name: "listquota", usage: "path", words: 2, run: Some(quota::list), ..PLAIN },
    Command {
        name: "ls",
        usage: "[-s] [-w] [-R] path",
        flags: flags(&[flag("?", "help"), flag("s", "stat"), flag("w", "watch"), flag("R", "recurse")]),
        words: 2,
        old_watch: true,
        run: Some(reads::ls),
        ..PLAIN
    },
    Command { name: "printwatches", usage: "on|off", ..PLAIN },
    Command { name: "quit", ..PLAIN },
    Command {
        name: "reconfig",
        usage: "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add \
                serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        flags: flags(&[
            flag("s", "stats"),
            valued("v", "required current config version"),
            valued("file", "path of config file to parse for membership"),
            valued("members", "comma-separated list of config strings for non-incremental reconfig"),
            valued("add", "comma-separated list of config strings for new servers"),
            valued("remove", "comma-separated list of server IDs to remove"),
        ]),
        run: Some(session::reconfig),
        ..PLAIN
    },
    Command { name: "redo", usage: "cmdno", ..PLAIN },
    Command {
        name: "removewatches",
        usage: "path [-c|-d|-a] [-l]",
        flags: flags(&[
            flag("c", "child watcher type"),
            flag("d", "data watcher type"),
            flag("p", "persistent watcher type"),
            flag("r", "persistent recursive watcher type"),
            flag("a", "any watcher type"),
            flag("l", "remove locally when there is no server connection"),
        ]),
        words: 2,
        run: Some(watching::remove_watches),
        ..PLAIN
    },
    Command {
        name: "set",
        usage: "path data [-s] [-v version] [-b]",
        flags: flags(&[
            flag("s", "Print znode stats additionally"),
            valued("v", "Set with an expected version"),
            flag("b", "Supply data in base64 format"),
        ]),
        lists_flags: true,
        words: 3,
        run: Some(writes::set),
        ..PLAIN
    },
    Command {
        name: "setAcl",
        usage: "[-s] [-v version] [-R] path acl",
        flags: flags(&[flag("s", "stats"), valued("v", "version"), flag("R", "recursive")]),
        words: 3,
        run: Some(writes::set_acl),
        ..PLAIN
    },
    Command {
        name: "setquota",
        usage: "-n|-b|-N|-B val path",
        flags: Flags {
            list: &[
                valued("n", "num soft quota"),
                valued("b", "bytes soft quota"),
                valued("N", "num hard quota"),
                valued("B", "bytes hard quota"),
            ],
            exclusive: true,
            required: true,
        },
        words: 2,
        run: Some(quota::set),
        ..PLAIN
    },
    Command {
        name: "stat",
        usage: "[-w] path",
        flags: flags(&[flag("w", "watch")]),
        words: 2,
        old_watch: true,
        run: Some(reads::stat),
        ..PLAIN
    },
    Command { name: "sync", usage: "path", words: 2, run: Some(reads::sync), ..PLAIN },
    Command { name: "version", most: 1, run: Some(session::version), ..PLAIN },
    Command { name: "whoami", run: Some(session::who_am_i), ..PLAIN },
];

/// The command of that name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|c| c.name == name)
}

/// Takes a command's words apart and checks their number, as each command's `parse` does.
/// The second value is a note to print.
pub fn parse(command: &Command, words: &[String]) -> Result<(Parsed, Option<String>), Failure> {
    // Whatever close and whoami are given, they ignore.
    if matches!(command.name, "close" | "whoami") {
        return Ok((Parsed { args: words.to_vec(), ..Parsed::default() }, None));
    }
    let mut parsed = super::options::parse(command.flags, words).map_err(Failure::usage)?;
    let mut note = None;
    if parsed.args.len() > 2 && command.old_watch {
        let name = command.name;
        let stat = if name == "get" { "[-s] " } else { "" };
        note = Some(format!(
            "'{name} path [watch]' has been deprecated. Please use '{name} {stat}[-w] path' instead."
        ));
        let mut words = words.to_vec();
        if let Some(word) = words.get_mut(2) {
            "-w".clone_into(word);
        }
        parsed = super::options::parse(command.flags, &words).map_err(Failure::usage)?;
    }
    if parsed.args.len() > 2 && command.name == "delete" {
        note = Some(
            "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead."
                .into(),
        );
    }
    let given = parsed.args.len();
    let help = command.name == "ls" && parsed.has("?");
    if (given < command.words && !help) || given > command.most {
        return Err(Failure::usage(command.usage_text()));
    }
    Ok((parsed, note))
}

/// The help that an unknown command gets.
pub fn overview() -> String {
    let mut text = "ZooKeeper -server host:port -client-configuration properties-file cmd args\n".to_owned();
    for c in COMMANDS {
        text += &format!("\t{} {}\n", c.name, c.usage);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::options::split_line;
    use super::*;

    fn refused(line: &str) -> String {
        let words = split_line(line);
        let command = find(&words[0]).unwrap();
        parse(command, &words).map(|_| String::new()).unwrap_or_else(|f| f.message)
    }

    #[test]
    fn commands_are_sorted_and_usages_read_as_in_java() {
        assert!(COMMANDS.windows(2).all(|w| w[0].name < w[1].name));
        assert_eq!(refused("ls"), "ls [-s] [-w] [-R] path");
        assert_eq!(refused("create"), "create [-s] [-e] [-c] [-t ttl] path [data] [acl]");
        assert_eq!(
            refused("set /c"),
            "set path data [-s] [-v version] [-b]\n -b         Supply data in base64 format\n -s         Print \
             znode stats additionally\n -v <arg>   Set with an expected version\n"
        );
        assert_eq!(refused("addWatch /a /b"), find("addWatch").unwrap().usage_text());
        assert_eq!(refused("version x"), "version ");
        assert_eq!(refused("whoami x y"), "");
    }

    #[test]
    fn an_old_watch_word_is_understood_with_a_note() {
        let words = split_line("get /a watch");
        let (parsed, note) = parse(find("get").unwrap(), &words).unwrap();
        assert!(parsed.has("w"));
        assert_eq!(parsed.arg(1), Some("/a"));
        assert_eq!(
            note.as_deref(),
            Some("'get path [watch]' has been deprecated. Please use 'get [-s] [-w] path' instead.")
        );
    }
}

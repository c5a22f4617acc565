//! The commands of the admin server: names, methods, and what one has to be to give them.
//!
//! # Invariants
//!
//! * Every command of ZooKeeper 3.9.5 is there under all of its names, and `shed_connections` of its
//!   master branch.
//! * What changes something needs more than the right to read.

use crate::auth::rules::{AdminRole as Role, WordRule};

use super::word::Word;

macro_rules! commands {
    ($($command:ident $names:expr, $post:literal $serving:literal $role:ident, $is:literal;)*) => {
        /// A command.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Command {
            $(#[doc = $is] $command,)*
        }

        impl Command {
            /// All commands, by name.
            pub const ALL: &[Command] = &[$(Command::$command,)*];

            /// Its names, the primary one first.
            pub fn names(self) -> &'static [&'static str] {
                match self {
                    $(Command::$command => &$names,)*
                }
            }

            /// Is it asked by POST, not GET?
            pub fn is_post(self) -> bool {
                match self {
                    $(Command::$command => $post,)*
                }
            }

            /// Does it need a server that serves?
            pub fn needs_serving(self) -> bool {
                match self {
                    $(Command::$command => $serving,)*
                }
            }

            /// What one has to be to give it.
            pub fn role(self) -> Role {
                match self {
                    $(Command::$command => Role::$role,)*
                }
            }

            /// What it does.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Command::$command => $is,)*
                }
            }
        }
    };
}

commands! {
    Configuration ["configuration", "conf", "config"], false true Read, "Configuration.";
    ConnectionStatReset ["connection_stat_reset", "crst"], false true Operate, "Resets the numbers of the connections of the plain port.";
    Connections ["connections", "cons"], false true Read, "Connections in full.";
    Dirs ["dirs"], false true Read, "Sizes of the data directories.";
    Dump ["dump"], false true Read, "Sessions by expiry, ephemeral znodes.";
    Environment ["environment", "env", "envi"], false false Read, "Environment of the process.";
    GetTraceMask ["get_trace_mask", "gtmk"], false false Read, "The trace mask.";
    Hash ["hash"], false true Read, "The log of tree digests.";
    InitialConfiguration ["initial_configuration", "icfg"], false true Read, "The text of zoo.cfg at the start, without secrets.";
    IsReadOnly ["is_read_only", "isro"], false true Read, "Is the server read-only?";
    LastSnapshot ["last_snapshot", "lsnp"], false true Read, "Zxid and time of the last snapshot.";
    Leader ["leader", "lead"], false true Read, "Who leads.";
    Monitor ["monitor", "mntr"], false false Read, "Metrics.";
    ObserverConnectionStatReset ["observer_connection_stat_reset", "orst"], false true Operate, "Resets the numbers of the observers' connections.";
    Observers ["observers", "obsr"], false true Read, "Observers of this server.";
    RestoreSnapshot ["restore", "rest"], true true Restore, "Replaces the database by a snapshot.";
    Ruok ["ruok"], false true Read, "Is the server serving?";
    ServerStats ["server_stats", "srvr"], false true Read, "Server in short.";
    SetTraceMask ["set_trace_mask", "stmk"], false false Operate, "Sets the trace mask.";
    ShedConnections ["shed_connections", "shed"], true true Operate, "Closes a share of the connections, for balance.";
    Snapshot ["snapshot", "snap"], false true Restore, "Takes a snapshot, and sends it.";
    StatReset ["stat_reset", "srst"], false true Operate, "Resets the numbers of the server.";
    Stats ["stats", "stat"], false true Read, "Server and connections in short.";
    SystemProperties ["system_properties", "sysp"], false false Read, "What is configured, by property, without secrets.";
    VotingView ["voting_view"], false true Read, "Members with a vote.";
    WatchSummary ["watch_summary", "wchs"], false true Read, "Number of watches.";
    Watches ["watches", "wchc"], false true Read, "Watches by session.";
    WatchesByPath ["watches_by_path", "wchp"], false true Read, "Watches by path.";
    ZabState ["zabstate"], false false Read, "Phase of the protocol between servers.";
}

impl Command {
    /// The command of this name; case counts.
    pub fn parse(name: &str) -> Option<Command> {
        Command::ALL.iter().copied().find(|command| command.names().contains(&name))
    }

    /// The name that it is listed by.
    pub fn name(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }

    /// Is it limited in rate and number, as the word of this name?
    pub fn is_expensive(self) -> bool {
        let of_word = |name: &&str| {
            Word::ALL.iter().any(|w| w.name() == *name && w.rule() == WordRule::ListedAndLimited)
        };
        self.names().iter().any(of_word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_commands_and_sorted() {
        let mut all: Vec<&str> = Command::ALL.iter().flat_map(|c| c.names()).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        let names: Vec<&str> = Command::ALL.iter().map(|c| c.name()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted);
        assert_eq!(Command::parse("wchc"), Some(Command::Watches));
        assert_eq!(Command::parse("Wchc"), None);
        assert_eq!(Command::ALL.len(), 29);
    }

    #[test]
    fn what_is_expensive_as_a_word_is_expensive_here() {
        let expensive: Vec<&str> =
            Command::ALL.iter().filter(|c| c.is_expensive()).map(|c| c.name()).collect();
        assert_eq!(expensive, ["connections", "dump", "stats", "watches", "watches_by_path"]);
    }

    #[test]
    fn changes_need_more_than_reading() {
        for command in Command::ALL {
            let changes = command.name().contains("reset")
                || matches!(
                    command,
                    Command::SetTraceMask
                        | Command::ShedConnections
                        | Command::RestoreSnapshot
                        | Command::Snapshot
                );
            assert_eq!(command.role() > Role::Read, changes, "{}", command.name());
        }
    }
}

//! Admin commands and who may use them; the HTTP server asks here.
//!
//! # Invariants
//!
//! * As for the table of operations: a command without a rule does not compile.

/// What an admin command must be allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdminRule {
    /// Nothing: health and metrics.
    Open,
    /// Some identity, by whatever scheme the admin server takes.
    Identity,
    /// Each permission on the root's list ([`all_of`](super::all_of)), as the whole tree is read or replaced.
    WholeTree,
}

macro_rules! commands {
    ($($command:ident $name:literal,)*) => {
        /// A command, by its first name in ZooKeeper 3.9.5.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs)]
        pub enum AdminCommand {
            $($command,)*
        }

        impl AdminCommand {
            /// All commands.
            pub const ALL: &[AdminCommand] = &[$(AdminCommand::$command,)*];

            /// Its name in the path of a request.
            pub const fn name(self) -> &'static str {
                match self {
                    $(AdminCommand::$command => $name,)*
                }
            }
        }
    };
}

commands! {
    ConnectionStatReset "connection_stat_reset",
    Configuration "configuration",
    Connections "connections",
    Hash "hash",
    Dirs "dirs",
    Dump "dump",
    Environment "environment",
    GetTraceMask "get_trace_mask",
    InitialConfiguration "initial_configuration",
    IsReadOnly "is_read_only",
    LastSnapshot "last_snapshot",
    Leader "leader",
    Monitor "monitor",
    ObserverConnectionStatReset "observer_connection_stat_reset",
    Restore "restore",
    Ruok "ruok",
    SetTraceMask "set_trace_mask",
    ServerStats "server_stats",
    Stats "stats",
    StatReset "stat_reset",
    Snapshot "snapshot",
    Observers "observers",
    SystemProperties "system_properties",
    VotingView "voting_view",
    Watches "watches",
    WatchesByPath "watches_by_path",
    WatchSummary "watch_summary",
    ZabState "zabstate",
    ShedConnections "shed_connections",
}

impl AdminCommand {
    /// Its rule.
    pub const fn rule(self) -> AdminRule {
        use AdminCommand::*;
        match self {
            IsReadOnly | Leader | Monitor | Ruok | ZabState | VotingView => AdminRule::Open,
            ConnectionStatReset
            | Configuration
            | Connections
            | Hash
            | Dirs
            | Dump
            | Environment
            | GetTraceMask
            | InitialConfiguration
            | LastSnapshot
            | ObserverConnectionStatReset
            | SetTraceMask
            | ServerStats
            | Stats
            | StatReset
            | Observers
            | SystemProperties
            | Watches
            | WatchesByPath
            | WatchSummary
            | ShedConnections => AdminRule::Identity,
            Restore | Snapshot => AdminRule::WholeTree,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_touches_the_whole_tree_needs_every_permission() {
        assert_eq!(AdminCommand::Snapshot.rule(), AdminRule::WholeTree);
        assert_eq!(AdminCommand::Restore.rule(), AdminRule::WholeTree);
        let open: Vec<_> =
            AdminCommand::ALL.iter().filter(|c| c.rule() == AdminRule::Open).map(|c| c.name()).collect();
        assert_eq!(open, ["is_read_only", "leader", "monitor", "ruok", "voting_view", "zabstate"]);
    }
}

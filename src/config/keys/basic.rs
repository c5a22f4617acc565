//! Rows: directories, ticks, kinds of nodes and sessions, watches.
//!
//! # Invariants
//!
//! * As for the whole table.

use super::row::*;

const WATCHES: Status = none("watches have one built-in store; nothing has to be cleaned lazily");

table! {
    Area::Basic => {
        "dataDir" "" PATH, "" "" WORKS, "Directory of snapshots, epoch files and myid; data lie in its version-2 sub-directory. Required.";
        "tickTime" "" from(1), "3000" "ms" WORKS, "Length of a tick, the unit of session time-outs and of the limits between servers.";
        "minSessionTimeout" "" from(-1), "-1" "ms" WORKS, "Smallest session time-out a client gets; -1 is two ticks.";
        "maxSessionTimeout" "" from(-1), "-1" "ms" WORKS, "Largest session time-out a client gets; -1 is twenty ticks.";
        "localSessionsEnabled" "" BOOL, "false" "" WORKS, "Sessions stay at the server they were opened at until they create an ephemeral node.";
        "localSessionsUpgradingEnabled" "" BOOL, "false" "" WORKS, "A local session becomes global when it creates an ephemeral node.";
        "<any other key>" "zookeeper.<key>" TEXT, "" "" WORKS, "Unknown keys are kept as system properties with a warning, never an error.";
        "extendedTypesEnabled" "zookeeper.extendedTypesEnabled" BOOL, "false" "" WORKS, "Allow TTL nodes; server ids then end at 254.";
        "emulate353TTLNodes" "zookeeper.emulate353TTLNodes" BOOL, "false" "" WORKS, "Read TTL nodes in the encoding of ZooKeeper 3.5.3.";
        "watchManagerName" "zookeeper.watchManagerName" class(&["org.apache.zookeeper.server.watch.WatchManager", "org.apache.zookeeper.server.watch.WatchManagerOptimized"]), "org.apache.zookeeper.server.watch.WatchManager" "" WATCHES, "Which watch store Java uses; both names mean the built-in one here, which has every kind of watch.";
        "watcherCleanThreadsNum" "zookeeper.watcherCleanThreadsNum" ANY_INT, "2" "threads" WATCHES, "Cleaner threads of Java's optimized watch store.";
        "watcherCleanThreshold" "zookeeper.watcherCleanThreshold" ANY_INT, "1000" "watchers" WATCHES, "Dead watchers before Java's cleaner runs.";
        "watcherCleanIntervalInSeconds" "zookeeper.watcherCleanIntervalInSeconds" ANY_INT, "600" "s" WATCHES, "Longest pause of Java's watch cleaner.";
        "maxInProcessingDeadWatchers" "zookeeper.maxInProcessingDeadWatchers" ANY_INT, "-1" "watchers" WATCHES, "Back-pressure of Java's watch cleaner.";
        "bitHashCacheSize" "zookeeper.bitHashCacheSize" ANY_INT, "10" "entries" WATCHES, "Cache of Java's optimized watch store.";
        "" "readonlymode.enabled" BOOL, "false" "" WORKS, "Serve reads to read-only clients while the ensemble has no leader.";
        "" "znode.container.checkIntervalMs" from(1), "60000" "ms" WORKS, "How often containers and TTL nodes are looked through.";
        "" "znode.container.maxPerMinute" from(1), "10000" "deletes/min" WORKS, "How many containers and TTL nodes are deleted a minute at most.";
        "" "znode.container.maxNeverUsedIntervalMs" long(0), "0" "ms" WORKS, "Delete containers that never had a child after this time; 0 is never.";
    }
}

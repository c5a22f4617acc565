//! Rows: log, snapshots, purge.
//!
//! # Invariants
//!
//! * As for the whole table.

use super::row::*;

table! {
    Area::Storage => {
        "dataLogDir" "" PATH, "= dataDir" "" WORKS, "Directory of the transaction logs, best on a device of its own.";
        "autopurge.snapRetainCount" "" raised(3), "3" "snapshots" WORKS, "Snapshots kept by the purge, with the logs they need; at least 3.";
        "autopurge.purgeInterval" "" ANY_INT, "0" "h" WORKS, "Hours between purges; 0 is off. The first one runs at start.";
        "preAllocSize" "zookeeper.preAllocSize" int(0, 1 << 40), "65536" "KiB" WORKS, "Step in which log files are preallocated; 0 is off.";
        "snapCount" "zookeeper.snapCount" raised(2), "100000" "txns" WORKS, "Transactions after which a snapshot is taken and the log rolled, at a random point of the second half.";
        "snapSizeLimitInKb" "zookeeper.snapSizeLimitInKb" int(i64::MIN, 1 << 50), "4194304" "KiB" WORKS, "Log bytes after which a snapshot is taken, at a random point of the second half; 0 or less is off.";
        "txnLogSizeLimitInKb" "zookeeper.txnLogSizeLimitInKb" int(i64::MIN, 1 << 50), "-1" "KiB" WORKS, "Size at which a log file is rolled; 0 or less is off.";
        "forceSync" "zookeeper.forceSync" YES_NO, "yes" "" WORKS, "Sync the log before anything is promised. With `no` a power failure loses acknowledged writes.";
        "snapshot.compression.method" "zookeeper.snapshot.compression.method" word(&["gz", "snappy", ""]), "" "" WORKS, "Compression of new snapshots; all kinds are read.";
        "snapshot.trust.empty" "zookeeper.snapshot.trust.empty" BOOL, "false" "" WORKS, "Start from transaction logs although there is no snapshot. For one upgrade from 3.4 only.";
        "datadir.autocreate" "zookeeper.datadir.autocreate" BOOL, "true" "" WORKS, "Create missing version-2 directories.";
        "db.autocreate" "zookeeper.db.autocreate" BOOL, "true" "" WORKS, "An empty data directory is a valid, empty database; with false only if the initialize file is there.";
        "digest.enabled" "zookeeper.digest.enabled" BOOL, "true" "" WORKS, "Keep a digest of the tree, write it into transactions and snapshots, compare it on replay.";
        "serializeLastProcessedZxid.enabled" "zookeeper.serializeLastProcessedZxid.enabled" BOOL, "true" "" WORKS, "Write the last processed zxid behind a snapshot.";
        "closeSessionTxn.enabled" "zookeeper.closeSessionTxn.enabled" BOOL, "true" "" WORKS, "The transaction that closes a session lists its ephemeral nodes.";
    }
}

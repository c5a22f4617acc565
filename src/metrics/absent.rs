//! Metrics of ZooKeeper that this server does not have, or has and never counts, and why.
//!
//! # Invariants
//!
//! * Only series that describe a Java virtual machine are absent; others are there for those who ask for them.
//! * A metric that is neither recorded by some room nor listed here fails a test.

/// The reason all absent ones share.
pub const REASON: &str = "describes the Java virtual machine, which this server does not have; \
                          memory, CPU, threads' files and start are in the process_ series, and \
                          metricsProvider.jvmAliases=true makes the usual ones of them";

/// The absent series.
pub const ABSENT: &[&str] = &[
    "jvm_memory_bytes_used",
    "jvm_memory_bytes_committed",
    "jvm_memory_bytes_max",
    "jvm_memory_bytes_init",
    "jvm_memory_pool_bytes_used",
    "jvm_memory_pool_bytes_committed",
    "jvm_memory_pool_bytes_max",
    "jvm_memory_pool_bytes_init",
    "jvm_memory_pool_allocated_bytes_total",
    "jvm_buffer_pool_used_bytes",
    "jvm_buffer_pool_capacity_bytes",
    "jvm_buffer_pool_used_buffers",
    "jvm_gc_collection_seconds",
    "jvm_threads_current",
    "jvm_threads_daemon",
    "jvm_threads_peak",
    "jvm_threads_started_total",
    "jvm_threads_deadlocked",
    "jvm_threads_deadlocked_monitor",
    "jvm_threads_state",
    "jvm_classes_loaded",
    "jvm_classes_loaded_total",
    "jvm_classes_unloaded_total",
    "jvm_info",
];

const WATCHES: &str = "watches of a connection go with it, nothing waits to be cleaned";
const CACHE: &str = "replies are written straight from the tree, there is no cache of them";
const KEPT: &str = "a leader never queues what learners ask of it, so nothing is left out of a queue";
const POOL: &str = "what is committed is applied by the core itself, there is no pool of workers to wait for";

/// Metrics that are there and stay at zero, with the reason.
pub const STILL: &[(&str, &str)] = &[
    ("add_dead_watcher_stall_time", WATCHES),
    ("dead_watchers_queued", WATCHES),
    ("dead_watchers_cleared", WATCHES),
    ("dead_watchers_cleaner_latency", WATCHES),
    ("response_packet_cache_hits", CACHE),
    ("response_packet_cache_misses", CACHE),
    ("response_packet_get_children_cache_hits", CACHE),
    ("response_packet_get_children_cache_misses", CACHE),
    ("requests_not_forwarded_to_commit_processor", KEPT),
    ("skip_learner_request_to_next_processor_count", KEPT),
    ("concurrent_request_processing_in_commit_processor", POOL),
    ("time_waiting_empty_pool_in_commit_processor_read_ms", POOL),
    (
        "read_commit_proc_issued",
        "reads are answered where their connection lives, not in rounds; those that stood behind a write are in \
         reads_issued_from_session_queue",
    ),
    ("socket_closing_time", "connections between members are closed without waiting for them"),
    ("netty_queued_buffer_capacity", "frames are read into the connection's own buffer, none is queued"),
];

#[cfg(test)]
mod tests {
    use super::super::table::RECORDED;
    use super::*;
    use std::path::Path;

    /// Code outside of this room, tests left out.
    fn code(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("src/metrics") && !path.ends_with("golden") {
                code(&path, text);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let source = std::fs::read_to_string(&path).expect("a source file");
                text.push_str(source.split("#[cfg(test)]").next().unwrap_or_default());
            }
        }
    }

    #[test]
    fn every_metric_is_recorded_somewhere_or_listed_with_its_reason() {
        /// By a method of the table itself.
        const BY_THE_TABLE: [&str; 2] = ["readlatency", "updatelatency"];
        let mut text = String::new();
        code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        let recorded = |name: &str| {
            text.match_indices(&format!(".{name}")).any(|(at, found)| {
                let next = text.get(at + found.len()..).and_then(|rest| rest.chars().next());
                !next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
            })
        };
        let listed = |name: &str| STILL.iter().any(|(still, _)| *still == name);
        let rows = RECORDED.iter().map(|row| row.name).filter(|name| !BY_THE_TABLE.contains(name));
        let silent: Vec<&str> = rows.filter(|name| !listed(name) && !recorded(name)).collect();
        assert_eq!(silent, Vec::<&str>::new(), "registered, never recorded, and no reason given");
        for (name, why) in STILL {
            assert!(RECORDED.iter().any(|row| row.name == *name) && why.len() > 20, "{name}");
            assert!(!recorded(name), "{name} is recorded, and listed as if it were not");
        }
    }
}

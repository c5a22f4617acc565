//! Metrics of ZooKeeper that this server does not have, and why.
//!
//! # Invariants
//!
//! * Only series that describe a Java virtual machine are absent.

/// The reason all of these share.
pub const REASON: &str = "describes the Java virtual machine, which this server does not have; \
                          memory, CPU, threads' files and start are in the process_ series";

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

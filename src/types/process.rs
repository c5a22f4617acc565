//! What the operating system tells about the process, as plain values.
//!
//! # Invariants
//!
//! * A fact that could not be learned is `None`, never a made-up number.

/// Figures of the process at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessFigures {
    /// CPU time used, seconds, user and system.
    pub cpu_seconds: Option<f64>,
    /// When the process started, seconds since 1970.
    pub start_time_seconds: Option<f64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// Most file descriptors the process may open.
    pub max_fds: Option<u64>,
    /// Virtual memory, bytes.
    pub virtual_bytes: Option<u64>,
    /// Resident memory, bytes.
    pub resident_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

/// Facts about the machine and the account, for `envi`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentFacts {
    /// The machine's name.
    pub host_name: Option<String>,
    /// Kernel release.
    pub os_version: Option<String>,
    /// The account that runs the server.
    pub user_name: Option<String>,
    /// Its home directory.
    pub user_home: Option<String>,
    /// The working directory.
    pub user_dir: Option<String>,
    /// Directory of temporary files.
    pub temp_dir: Option<String>,
    /// Memory the process may use (its control group's, or the machine's), bytes.
    pub memory_limit: Option<u64>,
    /// What of that is not in use, bytes.
    pub memory_free: Option<u64>,
    /// Resident memory of the process, bytes.
    pub resident: Option<u64>,
}

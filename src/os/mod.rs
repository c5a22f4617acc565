//! Clock, entropy, the real disk, signals, limits of the process, the log.

pub mod clock;
pub mod disk;
pub mod entropy;
pub mod log;
pub mod notify;
pub mod process;
pub mod rlimit;
pub mod secrecy;
pub mod signal;

//! What a violation said, and what the environment asks for.
//!
//! # Invariants
//!
//! * Nothing here decides anything about a run.

/// What a panic said.
pub fn text(cause: &(dyn std::any::Any + Send)) -> String {
    let owned = cause.downcast_ref::<String>().cloned();
    owned.or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
}

/// A number from the environment.
pub fn number(name: &str) -> Option<i64> {
    std::env::var(name).ok()?.parse().ok()
}

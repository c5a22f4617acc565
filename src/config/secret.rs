//! A text that must never be printed.
//!
//! # Invariants
//!
//! * `Debug` and `Display` of a [`Secret`] print `***`, whatever it holds.
//! * The text leaves only through [`Secret::reveal`], which is easy to search for.

use std::fmt;

/// A password, digest or pass phrase out of the configuration.
///
/// Equality is for tests and for noticing changed settings, not for checking a
/// password of a client: it does not run in constant time.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all (ZooKeeper's "no password").
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.reveal(), "hunter2");
        assert!(!secret.is_empty() && Secret::default().is_empty());
    }
}

//! A text that must never be printed.
//!
//! # Invariants
//!
//! * `Debug` and `Display` of a [`Secret`] print `***`, whatever it holds.
//! * The text leaves only through [`Secret::reveal`], which is easy to search for.
//! * Clones share the one text in memory, which is overwritten with zeros when the last of
//!   them goes.
//! * Comparing takes as long for a wrong text as for the right one of the same length.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A password, digest or pass phrase out of the configuration.
#[derive(Clone, Default)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes `text` over. A borrowed text is copied: its owner has to wipe the original.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Arc::new(Zeroizing::new(text.into())))
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all (ZooKeeper's "no password").
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `proof`, which a client sent, is this text. The duration tells nothing but
    /// whether the lengths differ.
    pub fn is(&self, proof: &[u8]) -> bool {
        let text = self.0.as_bytes();
        text.len() == proof.len() && openssl::memcmp::eq(text, proof)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Secret {}

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

    #[test]
    fn a_proof_is_the_whole_text_or_nothing() {
        let secret = Secret::new("hunter2");
        assert!(secret.is(b"hunter2"));
        for wrong in [&b"hunter"[..], b"hunter3", b"Hunter2", b"hunter22", b""] {
            assert!(!secret.is(wrong), "{wrong:?}");
        }
        assert!(Secret::default().is(b""));
        assert_ne!(secret, Secret::default());
    }

    #[test]
    fn clones_share_one_text() {
        let secret = Secret::new("hunter2");
        let copy = secret.clone();
        assert!(std::ptr::eq(secret.reveal(), copy.reveal()));
    }
}

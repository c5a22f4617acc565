//! The four-letter words and who may use them (`FourLetterCommands`).
//!
//! # Invariants
//!
//! * `srvr` is always allowed: the start script depends on it.

use crate::auth::rules::WordRule;
use crate::config::settings::FourLw;

macro_rules! words {
    ($($word:ident $name:literal $bytes:literal $is:literal,)*) => {
        /// A command that is asked for by the first four bytes of a connection.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Word {
            $(#[doc = $is] $word,)*
        }

        impl Word {
            /// All words.
            pub const ALL: &[Word] = &[$(Word::$word,)*];

            /// The word that these first four bytes of a connection are; none
            /// when they are the length of a frame.
            pub fn parse(first: [u8; 4]) -> Option<Word> {
                match &first {
                    $($bytes => Some(Word::$word),)*
                    _ => None,
                }
            }

            /// The word as the whitelist spells it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Word::$word => $name,)*
                }
            }
        }
    };
}

words! {
    Ruok "ruok" b"ruok" "Is the process alive?",
    Isro "isro" b"isro" "Is the server read-only?",
    Gtmk "gtmk" b"gtmk" "Prints the trace mask.",
    Stmk "stmk" b"stmk" "Sets the trace mask to the eight bytes that follow.",
    Conf "conf" b"conf" "Configuration.",
    Cons "cons" b"cons" "Connections in full.",
    Crst "crst" b"crst" "Resets the numbers of the connections.",
    Srst "srst" b"srst" "Resets the numbers of the server.",
    Dirs "dirs" b"dirs" "Sizes of the data directories.",
    Dump "dump" b"dump" "Sessions, ephemeral znodes, connections.",
    Envi "envi" b"envi" "Environment of the process.",
    Stat "stat" b"stat" "Server and connections in short.",
    Srvr "srvr" b"srvr" "Server in short.",
    Wchs "wchs" b"wchs" "Number of watches.",
    Wchc "wchc" b"wchc" "Watches by session.",
    Wchp "wchp" b"wchp" "Watches by path.",
    Hash "hash" b"hash" "The log of tree digests.",
    Mntr "mntr" b"mntr" "Metrics.",
    TelnetClose "telnet close" b"\xff\xf4\xff\xfd" "What telnet sends when it closes; answers nothing.",
}

impl Word {
    /// Bytes that follow the word and belong to it.
    pub fn argument_len(self) -> usize {
        if self == Word::Stmk { 8 } else { 0 }
    }

    /// Does the word answer from the tree, the sessions or the connections, so
    /// that the server must be serving?
    pub fn needs_serving(self) -> bool {
        !matches!(self, Word::Ruok | Word::Gtmk | Word::Stmk | Word::Envi | Word::Isro | Word::TelnetClose)
    }

    /// Who may use it.
    pub const fn rule(self) -> WordRule {
        match self {
            // The start script depends on it.
            Word::Srvr => WordRule::Everybody,
            Word::Cons | Word::Dump | Word::Stat | Word::Wchc | Word::Wchp => WordRule::ListedAndLimited,
            Word::Ruok
            | Word::Isro
            | Word::Gtmk
            | Word::Stmk
            | Word::Conf
            | Word::Crst
            | Word::Srst
            | Word::Dirs
            | Word::Envi
            | Word::Wchs
            | Word::Hash
            | Word::Mntr
            | Word::TelnetClose => WordRule::Listed,
        }
    }

    /// Is it limited in rate, number at once and size?
    pub fn is_expensive(self) -> bool {
        self.rule() == WordRule::ListedAndLimited
    }
}

/// The words that may be used (`4lw.commands.whitelist`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whitelist(u32);

impl Whitelist {
    /// What the configuration allows; `read_only_mode` is
    /// `readonlymode.enabled`, which needs `isro`.
    pub fn new(setting: &FourLw, read_only_mode: bool) -> Self {
        let allowed = |word: &Word| {
            setting.allows(word.name())
                || word.rule() == WordRule::Everybody
                || (read_only_mode && *word == Word::Isro)
        };
        let bits = Word::ALL.iter().copied().filter(allowed);
        Self(bits.fold(0, |bits, word| bits | 1 << word as u32))
    }

    /// The words as bits, to be kept where they can change.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// What [`Whitelist::bits`] gave.
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// May `word` be used?
    pub fn allows(self, word: Word) -> bool {
        self.0 & (1 << word as u32) != 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn allowed(setting: &FourLw, read_only_mode: bool) -> Vec<&'static str> {
        let list = Whitelist::new(setting, read_only_mode);
        let words = Word::ALL.iter().filter(|w| list.allows(**w));
        words.map(|w| w.name()).collect()
    }

    #[test]
    fn four_bytes_are_a_word_or_a_length() {
        for word in Word::ALL.iter().filter(|w| **w != Word::TelnetClose) {
            let bytes: [u8; 4] = word.name().as_bytes().try_into().expect("four letters");
            assert_eq!(Word::parse(bytes), Some(*word));
        }
        assert_eq!(Word::parse([0xff, 0xf4, 0xff, 0xfd]), Some(Word::TelnetClose));
        for other in [*b"lead", *b"RUOK", *b"kill", [0, 0, 0, 45], [255; 4]] {
            assert_eq!(Word::parse(other), None);
        }
    }

    #[test]
    fn the_whitelist_always_has_srvr_and_isro_in_read_only_mode() {
        assert_eq!(allowed(&FourLw::default(), false), ["srvr"]);
        assert_eq!(allowed(&FourLw::default(), true), ["isro", "srvr"]);
        let some = BTreeSet::from(["ruok".to_owned(), "nope".to_owned()]);
        assert_eq!(allowed(&FourLw::Only(some), false), ["ruok", "srvr"]);
        assert_eq!(allowed(&FourLw::All, false).len(), Word::ALL.len());
    }
}

//! HTTP commands, four-letter words.
//!
//! | module | |
//! |---|---|
//! | [`word`] | the words, the whitelist |
//! | [`fourlw`] | their answers |
//! | [`status`] | what the server tells: plain values and the trait [`Source`] |
//! | [`envi`] | the environment |
//! | `lists`, [`text`], [`gate`] | long answers, bounded in size, rate and number |
//!
//! A connection whose first four bytes are a word does:
//!
//! ```text
//! word = Word::parse(first4)?             // none: the length of a frame
//! argument = read words.argument_len(word) bytes
//! answer = words.answer(word, argument, &source, now)  // may wait: not on a reactor thread
//! write answer.text; close; drop(answer.permit)
//! ```
//!
//! # Invariants
//!
//! * Commands know the server only through [`Source`].
//! * No command can be made to hold more than a bounded text, and only so many
//!   expensive ones are answered at once.

pub mod envi;
pub mod fourlw;
pub mod gate;
#[cfg(test)]
mod golden;
mod lists;
pub mod status;
pub mod text;
pub mod word;

pub use fourlw::{Answer, FourLetterWords, render};
pub use status::{
    ConfStatus, ConnectionRow, ConnectionSession, DirSizes, ExpirySets, Item, Mode, MonitorStatus,
    QuorumConf, ServerStatus, SessionsStatus, Source, VisitItem, VisitRow, WatchSummary,
};
pub use word::{Whitelist, Word};

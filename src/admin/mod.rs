//! HTTP commands, four-letter words.
//!
//! | module | |
//! |---|---|
//! | [`word`] | the words, the whitelist |
//! | [`fourlw`] | their answers |
//! | [`status`] | what the server tells: plain values and the trait [`Source`] |
//! | [`envi`] | the environment |
//! | `lists`, [`text`], [`gate`] | long answers, bounded in size, rate and number |
//! | [`command`] | the commands of the admin server |
//! | [`answers`], `members` | what they answer |
//! | [`facts`] | what the server tells them beside [`status`] |
//! | [`json`] | fields as text |
//! | [`rate`] | how often a snapshot may be taken |
//! | [`console`] | the pages for people |
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

pub mod answers;
pub mod command;
pub mod console;
pub mod envi;
pub mod facts;
pub mod fourlw;
pub mod gate;
#[cfg(test)]
mod golden;
pub mod json;
mod lists;
mod members;
pub mod rate;
pub mod status;
pub mod text;
pub mod word;

pub use command::Command;
pub use facts::{AdminSource, MemberFacts, ObserverRow};
pub use fourlw::{Answer, FourLetterWords, render};
pub use status::{
    ConfStatus, ConnectionRow, ConnectionSession, DirSizes, ExpirySets, Item, Mode, MonitorStatus,
    QuorumConf, ServerStatus, SessionsStatus, Source, VisitItem, VisitRow, WatchSummary,
};
pub use word::{Whitelist, Word};

//! Where a connection stands in its life.
//!
//! # Invariants
//!
//! * A connection goes from the first stage on and never back.

use tokio::task::JoinHandle;

use super::service::WordAnswer;

/// Where a connection stands in its life.
pub(super) enum Stage {
    /// Nothing was read: a four-letter word or the length of the connect request.
    First,
    /// The connect request is still to come or is arriving.
    Connect,
    /// Requests.
    Open,
    /// A four-letter word is being answered on another thread.
    Word(JoinHandle<WordAnswer>),
    /// It is answered; the right to answer is held until the answer has left.
    Answered(#[allow(dead_code)] Option<Box<dyn Send>>),
}

/// What the start of a stream turned out to be.
pub(super) enum First {
    Partial,
    Length,
    Word,
}

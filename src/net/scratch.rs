//! Buffers of a worker thread, shared by all its connections.
//!
//! # Invariants
//!
//! * A connection uses them only while it is polled; an idle one owns none.

use std::cell::RefCell;

use crate::limits::{READ_BUFFER, SCRATCH_OUT_KEPT};

/// Buffers that all connections of a worker thread share.
pub(super) struct Scratch {
    /// Where a read puts its bytes.
    pub input: Box<[u8]>,
    /// Room for answers, lent to the connection that is looked at.
    pub output: Vec<u8>,
}

thread_local! {
    /// Those of this thread.
    pub(super) static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: vec![0; READ_BUFFER].into_boxed_slice(),
        output: Vec::with_capacity(READ_BUFFER),
    });
}

impl Scratch {
    /// Keeps the larger of two buffers for the next connection, within reason.
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > self.output.capacity() && buffer.capacity() <= SCRATCH_OUT_KEPT {
            buffer.clear();
            self.output = buffer;
        }
    }
}

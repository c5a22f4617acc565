//! The end of the process, past the exit handlers of the Kerberos library.
//!
//! MIT's library destroys its locks when the process exits. A thread that lets a context go at that moment finds
//! a lock gone, and the library aborts: a command that had done its work would end by a signal.
//!
//! # Invariants
//!
//! * What was printed has left before.

#![allow(unsafe_code)]

use std::io::Write;

unsafe extern "C" {
    /// `_exit` of POSIX.
    fn _exit(status: i32) -> !;
}

/// Ends the process with this code; no exit handler of a library runs.
pub fn leave(code: u8) -> ! {
    // A reader that went away changes nothing about the code.
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    // SAFETY: it takes any number, touches no memory of ours, and does not return.
    unsafe { _exit(i32::from(code)) }
}

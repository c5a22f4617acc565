//! Opening a wrapped token.
//!
//! # Invariants
//!
//! * MIT's library opens a token where it lies: it gets a copy that nobody else sees, and is told that it may
//!   write there.

use libgssapi::context::SecurityContext;
use libgssapi::error::Error;
use libgssapi::util::{GssIov, GssIovType};

/// What is in a token of the other side.
///
/// # Errors
///
/// The token was changed, is out of order, or is none.
pub(super) fn unwrap(context: &mut impl SecurityContext, token: &[u8]) -> Result<Vec<u8>, Error> {
    let mut copy = token.to_vec();
    let mut nothing = [];
    let mut parts = [GssIov::new(GssIovType::Stream, &mut copy), GssIov::new(GssIovType::Data, &mut nothing)];
    context.unwrap_iov(&mut parts)?;
    // The second part lies within the first now.
    let [_, plain] = &parts;
    Ok(plain.to_vec())
}

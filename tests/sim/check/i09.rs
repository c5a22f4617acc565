//! I9: same zxid, same digest, on every member.

use super::{Check, Seen, View};
use crate::book::id;

pub struct SameDigest;

impl Check for SameDigest {
    fn number(&self) -> u8 {
        9
    }

    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Delivered { who, tree } => {
                let last = tree.last_zxid();
                match view.history.digest_at(last.0) {
                    Some(digest) if digest != tree.digest() => {
                        let own = tree.digest();
                        Err(format!(
                            "the tree of {} after {last} has digest {own:x}, not {digest:x}",
                            id(*who)
                        ))
                    }
                    _ => Ok(()),
                }
            }
            Seen::Recovered { who, differences, .. } if *differences > 0 => {
                Err(format!("recovery of {} finds {differences} digests that differ", id(*who)))
            }
            _ => Ok(()),
        }
    }
}

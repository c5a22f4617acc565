//! I15: once faults end it comes back: a leader, answers to everything, equal trees.

use super::{Check, Seen, View};

pub struct ComesBack;

impl Check for ComesBack {
    fn number(&self) -> u8 {
        15
    }

    fn see(&mut self, _: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Stuck { what } => Err((*what).to_owned()),
            _ => Ok(()),
        }
    }
}

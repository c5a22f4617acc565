//! The values that were given, with the table's defaults behind them.
//!
//! # Invariants
//!
//! * Every value passed its row's checks, so reading one cannot fail; what nobody gave
//!   is the table's default.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::finding::Place;
use super::keys;
use super::secret::Secret;
use super::values::{Value, default_of};

/// Values by the id of their row; families by their whole key.
#[derive(Debug, Clone, Default)]
pub struct Given {
    values: BTreeMap<String, (Value, Place)>,
}

impl Given {
    /// Takes a checked value.
    pub fn insert(&mut self, id: String, value: Value, place: Place) {
        self.values.insert(id, (value, place));
    }

    /// Whether somebody gave it.
    pub fn has(&self, id: &str) -> bool {
        self.values.contains_key(id)
    }

    /// Where it was given.
    pub fn place(&self, id: &str) -> Option<&Place> {
        self.values.get(id).map(|(_, place)| place)
    }

    /// Keys of a family: what stands behind `prefix`, with its text.
    pub fn family(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let in_family = self.values.iter().filter_map(move |(id, (value, _))| {
            let Value::Text(text) = value else {
                return None;
            };
            Some((id.strip_prefix(prefix)?, text.as_str()))
        });
        in_family.filter(|(suffix, _)| !suffix.is_empty())
    }

    fn value(&self, id: &str) -> Option<Value> {
        match self.values.get(id) {
            Some((value, _)) => Some(value.clone()),
            None => {
                let row = keys::by_id(id);
                debug_assert!(row.is_some(), "{id} has no row");
                row.and_then(default_of)
            }
        }
    }

    /// A switch.
    pub fn flag(&self, id: &str) -> bool {
        match self.value(id) {
            Some(Value::Bool(v)) => v,
            // A yes-or-no word.
            Some(Value::Text(word)) => word == "yes",
            _ => false,
        }
    }

    /// An integer.
    pub fn int(&self, id: &str) -> i64 {
        match self.value(id) {
            Some(Value::Int(v)) => v,
            _ => 0,
        }
    }

    /// An integer that its row bounds from 0 to at most 32 bits.
    pub fn number(&self, id: &str) -> u32 {
        u32::try_from(self.int(id).max(0)).unwrap_or(u32::MAX)
    }

    /// A number of bytes or of milliseconds that its row bounds from 0.
    pub fn long(&self, id: &str) -> u64 {
        u64::try_from(self.int(id)).unwrap_or(0)
    }

    /// A size in memory.
    pub fn size(&self, id: &str) -> usize {
        usize::try_from(self.int(id)).unwrap_or(0)
    }

    /// An integer whose 0 and negative values mean "off".
    pub fn limit(&self, id: &str) -> Option<u32> {
        Some(self.number(id)).filter(|&n| n > 0)
    }

    /// A port; `None` when it is neither given nor has a default.
    pub fn port(&self, id: &str) -> Option<u16> {
        match self.value(id) {
            Some(Value::Int(v)) => u16::try_from(v).ok(),
            _ => None,
        }
    }

    /// A number with a fraction.
    pub fn float(&self, id: &str) -> f64 {
        match self.value(id) {
            Some(Value::Float(v)) => v,
            _ => 0.0,
        }
    }

    /// A text; `None` when it is unset or empty.
    pub fn text(&self, id: &str) -> Option<String> {
        match self.value(id) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A text whose row has a default.
    pub fn word(&self, id: &str) -> String {
        self.text(id).unwrap_or_default()
    }

    /// A path.
    pub fn path(&self, id: &str) -> Option<PathBuf> {
        self.text(id).map(PathBuf::from)
    }

    /// A secret.
    pub fn secret(&self, id: &str) -> Option<Secret> {
        self.text(id).map(Secret::new)
    }

    /// Texts between commas, empty ones left out.
    pub fn list(&self, id: &str) -> Vec<String> {
        let text = self.word(id);
        text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect()
    }
}

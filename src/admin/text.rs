//! A text that cannot grow past its bound.
//!
//! # Invariants
//!
//! * Past the bound nothing is added but one line that says so.

use std::fmt;
use std::ops::ControlFlow;

/// An answer under construction.
#[derive(Debug)]
pub struct Text {
    text: String,
    limit: usize,
    cut: bool,
}

impl Text {
    /// An empty text of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { text: String::new(), limit, cut: false }
    }

    /// Adds `part`, unless the text would grow past its bound; from then on
    /// nothing is added.
    pub fn put(&mut self, part: fmt::Arguments<'_>) -> ControlFlow<()> {
        if self.cut {
            return ControlFlow::Break(());
        }
        let before = self.text.len();
        // Writing into a string cannot fail.
        let _ = fmt::Write::write_fmt(&mut self.text, part);
        if self.text.len() > self.limit {
            self.text.truncate(before);
            self.cut = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// The text, with a last line that says so when it was cut.
    pub fn finish(mut self) -> String {
        if self.cut {
            let note = format!("(cut here: the answer is longer than {} bytes)\n", self.limit);
            self.text.push_str(&note);
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_bound_once() {
        let mut text = Text::new(10);
        assert!(text.put(format_args!("12345\n")).is_continue());
        assert!(text.put(format_args!("67890\n")).is_break());
        assert!(text.put(format_args!("x\n")).is_break());
        let note = "(cut here: the answer is longer than 10 bytes)\n";
        assert_eq!(text.finish(), format!("12345\n{note}"));
    }
}

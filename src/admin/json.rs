//! JSON as ZooKeeper's admin server prints it: fields in their order, two spaces of indent, Java's numbers.
//!
//! # Invariants
//!
//! * The text is that of Jackson's default pretty printer, to the byte.
//! * A string leaves no way out of its quotes, whatever stands in it.

use std::fmt::Write as _;

use crate::types::java::java_double;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction, as Java prints a double.
    Double(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Fields in order.
    Object(Fields),
}

/// Fields in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields(Vec<(String, Json)>);

impl Fields {
    /// No fields.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// Adds a field behind the others; one that is there keeps its place and gets the new value.
    pub fn put(&mut self, name: impl Into<String>, value: impl Into<Json>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds a field whose name is known to be new: for long lists of fields.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<Json>) {
        self.0.push((name.into(), value.into()));
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> Fields {
        self.put(name, value);
        self
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Json {
        Json::Int(value)
    }
}

impl From<i32> for Json {
    fn from(value: i32) -> Json {
        Json::Int(value.into())
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Json {
        Json::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Json {
        Json::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Json {
        Json::Double(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Json {
        Json::Text(value.to_owned())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Json {
        Json::Text(value)
    }
}

impl From<Vec<Json>> for Json {
    fn from(value: Vec<Json>) -> Json {
        Json::List(value)
    }
}

impl From<Fields> for Json {
    fn from(value: Fields) -> Json {
        Json::Object(value)
    }
}

/// The text of an object.
pub fn print(fields: &Fields) -> String {
    let mut text = String::new();
    object(fields, 0, &mut text);
    text
}

fn value(json: &Json, depth: usize, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Int(value) => drop(write!(out, "{value}")),
        Json::Double(value) => out.push_str(&java_double(*value)),
        Json::Text(value) => quoted(value, out),
        Json::List(values) => list(values, depth, out),
        Json::Object(fields) => object(fields, depth, out),
    }
}

/// Lists stand in one line, but for the objects in them.
fn list(values: &[Json], depth: usize, out: &mut String) {
    out.push('[');
    for (n, element) in values.iter().enumerate() {
        out.push_str(if n == 0 { " " } else { ", " });
        value(element, depth, out);
    }
    out.push_str(" ]");
}

fn object(fields: &Fields, depth: usize, out: &mut String) {
    if fields.0.is_empty() {
        return out.push_str("{ }");
    }
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str("  "));
    };
    out.push('{');
    for (n, (name, field)) in fields.0.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        line(depth + 1, out);
        quoted(name, out);
        out.push_str(" : ");
        value(field, depth + 1, out);
    }
    line(depth, out);
    out.push('}');
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => drop(write!(out, "\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_jacksons() {
        let inner = Fields::new().with("a", 1).with("b", 0.5).with("none", Json::Null);
        let list = vec![Json::from(1), Json::from("x\"\\\n\u{1}é")];
        let rows = vec![Json::from(inner.clone()), Json::from(Fields::new())];
        let fields = Fields::new()
            .with("inner", inner)
            .with("list", list)
            .with("rows", rows)
            .with("empty", Vec::new())
            .with("on", true);
        let expected = "{\n  \"inner\" : {\n    \"a\" : 1,\n    \"b\" : 0.5,\n    \"none\" : null\n  },\n  \
             \"list\" : [ 1, \"x\\\"\\\\\\n\\u0001é\" ],\n  \"rows\" : [ {\n    \"a\" : 1,\n    \"b\" : 0.5,\n    \
             \"none\" : null\n  }, { } ],\n  \"empty\" : [ ],\n  \"on\" : true\n}";
        assert_eq!(print(&fields), expected);
        assert!(serde_json::from_str::<serde_json::Value>(&print(&fields)).is_ok());
    }

    #[test]
    fn a_field_keeps_its_place() {
        let mut fields = Fields::new().with("a", 1).with("b", 2);
        fields.put("a", 3);
        assert_eq!(print(&fields), "{\n  \"a\" : 3,\n  \"b\" : 2\n}");
    }
}

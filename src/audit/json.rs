//! A decision as a JSON object: everything that is known of it.
//!
//! # Invariants
//!
//! * The object is one line; keys stand in a fixed order, absent ones are left out.
//! * The hash of a digest identity is written as `x`.

use serde::Serialize;

use super::layout::{is_control, push_entry, result, shown_id, znode_type};
use crate::types::Acl;
use crate::types::decision::Decision;
use crate::types::java::{java_ip, java_iso8601};

/// The keys, in their order.
#[derive(Serialize)]
struct Event<'a> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    identities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    znode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    znode_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acl: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acl_before: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acl_after: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zxid: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part<'a>>,
    #[serde(flatten)]
    extra: serde_json::Map<String, serde_json::Value>,
    result: &'static str,
    outcome: &'static str,
    code: i32,
}

/// One part of a multi that failed.
#[derive(Serialize)]
struct Part<'a> {
    operation: &'static str,
    znode: &'a str,
    code: i32,
}

/// The object.
pub(super) fn event(decision: &Decision<'_>) -> String {
    let who = &decision.who;
    let shown = |scheme: &str, id: &str| format!("{scheme}:{}", shown_id(scheme, id));
    let extra = decision.extra.iter().map(|(k, v)| ((*k).to_owned(), (*v).into()));
    let event = Event {
        time: format!("{}Z", java_iso8601(decision.wall_ms).replace(' ', "T").replace(',', ".")),
        session: who.session.map(|id| id.to_string()),
        user: who.user,
        principal: who.principal,
        identities: who.identities.iter().map(|id| shown(&id.scheme, &id.id)).collect(),
        ip: who.address.map(java_ip),
        operation: decision.operation.record_name(),
        znode: decision.path,
        znode_type: decision.mode.map(znode_type),
        acl: decision.acl.map(entries),
        acl_before: decision.acl_before.map(entries),
        acl_after: decision.acl_after.map(entries),
        zxid: decision.zxid.map(|zxid| zxid.to_string()),
        parts: decision.parts.iter().map(part).collect(),
        extra: extra.collect(),
        result: result(decision.outcome),
        outcome: decision.outcome.name(),
        code: decision.code.number(),
    };
    // Nothing in it can fail to become JSON: keys are texts, numbers are whole.
    escaped(serde_json::to_string(&event).unwrap_or_default())
}

fn part<'a>(part: &crate::types::decision::Part<'a>) -> Part<'a> {
    Part { operation: part.operation.record_name(), znode: part.path, code: part.code.number() }
}

fn entries(acl: &[Acl]) -> Vec<String> {
    let text = |entry: &Acl| {
        let mut text = String::new();
        push_entry(&mut text, entry);
        text
    };
    acl.iter().map(text).collect()
}

/// JSON escapes the first 32 characters by itself; other controls (they stand inside texts
/// only) are escaped here, so that a line is a line for everybody.
fn escaped(json: String) -> String {
    use std::fmt::Write as _;
    if !json.contains(is_control) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_control(c) {
            let _ = write!(out, "\\u{:04x}", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

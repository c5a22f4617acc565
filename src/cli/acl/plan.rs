//! A plan: one JSON object a line, a znode and the ACL it shall have.
//!
//! # Invariants
//!
//! * What was read can be set: a path, a list that is not empty, permissions, no masked digest.

use crate::cli::doctor::link::{BITS, letters};
use crate::cli::fault::{Fault, plain};
use crate::limits::ACL_PLAN_BYTES;
use crate::types::{Acl, Id, path, perms};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// An entry of an ACL as a plan has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryText {
    scheme: String,
    id: String,
    perms: String,
}

/// A line of a plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The znode.
    pub path: String,
    /// The ACL it shall have.
    acl: Vec<EntryText>,
    /// The ACL it must have before; without it, any.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<Vec<EntryText>>,
}

/// A znode and what shall become of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// The znode.
    pub path: String,
    /// The ACL it shall have.
    pub acl: Vec<Acl>,
    /// The ACL it must have before.
    pub was: Option<Vec<Acl>>,
}

impl Wish {
    /// Its line of a plan.
    pub fn to_line(&self) -> String {
        let line =
            Line { path: self.path.clone(), acl: texts(&self.acl), was: self.was.as_deref().map(texts) };
        // Texts alone: nothing that JSON cannot say.
        serde_json::to_string(&line).unwrap_or_default()
    }

    fn of(line: Line) -> Result<Wish, String> {
        path::validate(&line.path).map_err(|e| format!("the path is none of a znode: {e:?}"))?;
        let acl = entries(&line.acl)?;
        if acl.is_empty() {
            return Err("the ACL is empty, which would allow everybody everything".to_owned());
        }
        Ok(Wish { path: line.path, acl, was: line.was.as_deref().map(entries).transpose()? })
    }
}

fn texts(list: &[Acl]) -> Vec<EntryText> {
    let text =
        |a: &Acl| EntryText { scheme: a.id.scheme.clone(), id: a.id.id.clone(), perms: letters(a.perms) };
    list.iter().map(text).collect()
}

fn entries(list: &[EntryText]) -> Result<Vec<Acl>, String> {
    let entry = |e: &EntryText| {
        if is_masked(&e.scheme, &e.id) {
            return Err("a digest is masked (:x): read the ACLs as somebody with ADMIN".to_owned());
        }
        Ok(Acl { perms: bits(&e.perms)?, id: Id::new(e.scheme.as_str(), e.id.as_str()) })
    };
    list.iter().map(entry).collect()
}

/// Does a client without ADMIN see such an id in the place of a digest?
pub fn is_masked(scheme: &str, id: &str) -> bool {
    scheme == "digest" && id.ends_with(":x")
}

/// Letters of `cdrwa` as bits.
pub fn bits(text: &str) -> Result<i32, String> {
    let bit = |c: char| BITS.iter().find(|(_, letter, _)| *letter == c).map(|(bit, ..)| *bit);
    let all = text
        .chars()
        .map(|c| bit(c).ok_or_else(|| format!("{}: permissions are letters of cdrwa", plain(text))));
    all.collect::<Result<Vec<i32>, String>>().map(|bits| bits.into_iter().fold(0, |a, b| a | b))
}

/// Does anybody hold ADMIN?
pub fn somebody_rules(list: &[Acl]) -> bool {
    list.iter().any(|a| a.perms & perms::ADMIN != 0)
}

/// Reads a plan whole.
pub fn read(file: &Path) -> Result<Vec<Wish>, Fault> {
    let open = File::open(file).map_err(|e| Fault::io("cannot read", file, &e))?;
    let len = open.metadata().map_err(|e| Fault::io("cannot read", file, &e))?.len();
    if len > ACL_PLAN_BYTES as u64 {
        let what =
            format!("{}: {len} bytes, at most {ACL_PLAN_BYTES} are read: split the plan", file.display());
        return Err(Fault::Usage(what));
    }
    let (mut wishes, mut seen) = (Vec::new(), HashSet::new());
    for (i, text) in BufReader::new(open.take(ACL_PLAN_BYTES as u64)).lines().enumerate() {
        let text = text.map_err(|e| Fault::io("cannot read", file, &e))?;
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let wrong = |what: String| {
            Fault::Usage(format!("{}, line {}: {what}; nothing was changed", file.display(), i + 1))
        };
        let line: Line = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        let wish = Wish::of(line).map_err(wrong)?;
        if !seen.insert(wish.path.clone()) {
            return Err(wrong(format!("{} comes twice", plain(&wish.path))));
        }
        wishes.push(wish);
    }
    Ok(wishes)
}

/// An entry for people; digests without their hash.
pub fn shown(list: &[Acl]) -> String {
    let one = |a: &Acl| {
        let id = match a.id.scheme.as_str() {
            "digest" => a.id.id.split(':').next().unwrap_or_default(),
            _ => &a.id.id,
        };
        format!("{}:{}:{}", plain(&a.id.scheme), plain(id), letters(a.perms))
    };
    if list.is_empty() { "(empty)".to_owned() } else { list.iter().map(one).collect::<Vec<_>>().join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan");
        let wish = Wish {
            path: "/a \"b\"".into(),
            acl: vec![Acl { perms: 31, id: Id::new("x509", "CN=a,O=b:c") }, Acl::read_only()],
            was: Some(vec![Acl::open()]),
        };
        std::fs::write(&file, format!("# what\n\n{}\n", wish.to_line())).unwrap();
        assert_eq!(read(&file).unwrap(), std::slice::from_ref(&wish));
        for bad in [
            "{}",
            r#"{"path":"a","acl":[{"scheme":"world","id":"anyone","perms":"r"}]}"#,
            r#"{"path":"/a","acl":[]}"#,
            r#"{"path":"/a","acl":[{"scheme":"world","id":"anyone","perms":"z"}]}"#,
            r#"{"path":"/a","acl":[{"scheme":"digest","id":"bob:x","perms":"r"}]}"#,
            r#"{"path":"/a","acl":[{"scheme":"world","id":"anyone","perms":"r"}],"version":1}"#,
            &format!("{0}\n{0}", wish.to_line()),
        ] {
            std::fs::write(&file, bad).unwrap();
            assert!(matches!(read(&file), Err(Fault::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn no_hash_of_a_password_is_shown() {
        let list = [Acl { perms: 9, id: Id::new("digest", "bob:c2VjcmV0") }];
        assert_eq!(shown(&list), "digest:bob:dr");
        assert!(!somebody_rules(&list));
    }
}

//! Where Oxkeeper answers otherwise on purpose, each with its reason.
//!
//! `security/differences.md` tells operators the same.

use super::script::{Finale, Frame, Script, Step};

/// An intended difference.
pub struct Intended {
    /// Short name.
    pub name: &'static str,
    /// Why it is so.
    pub reason: &'static str,
    /// May it show anywhere, because nothing that follows depends on it? Else in the finale only.
    pub anywhere: bool,
    /// Is a differing pair of lines, about this frame, this difference?
    pub explains: fn(frame: Option<&Frame>, java: &str, ours: &str) -> bool,
}

/// All of them.
pub const INTENDED: &[Intended] = &[
    Intended {
        name: "error-without-body",
        reason: "an error reply has no body; the reference sends an empty list behind the error of a multiRead that \
                 has only writes",
        anywhere: true,
        explains: |frame, java, ours| {
            let bare = java.strip_suffix("multi{-1/1/-1}");
            frame.is_some_and(|f| f.op == 22) && bare == Some(ours) && ours.contains(" err=-5 ")
        },
    },
    Intended {
        name: "deleteContainer",
        reason: "the server's own op for expired containers is not for clients: it is answered as an op code that \
                 does not exist, and the connection is closed",
        anywhere: false,
        explains: |frame, _, _| frame.is_some_and(|f| f.op == 20),
    },
    Intended {
        name: "createSession",
        reason: "a session is created by the first frame of a connection; the op code inside a session is answered \
                 as one that does not exist, and the connection is closed",
        anywhere: false,
        explains: |frame, _, _| frame.is_some_and(|f| f.op == -10),
    },
    Intended {
        name: "multi-null-acl",
        reason: "a multi that cannot be decoded has a zxid of its own, whatever is wrong with it, as every \
                 transaction has",
        anywhere: false,
        explains: |frame, java, ours| {
            let same = |word: &str| java.contains(word) && ours.contains(word);
            frame.is_some_and(|f| f.op == 14) && (same(" err=-5 ") || same(" fence "))
        },
    },
    Intended {
        name: "null-id",
        reason: "an ACL entry whose id is null is an invalid ACL; it is not taken for an undecodable request",
        anywhere: false,
        explains: |frame, java, ours| {
            let told = java.contains(" err=-5 ") && ours.contains(" err=-114 ");
            frame.is_some_and(|f| f.op == 1 && f.text.contains("/null/acl")) && told
        },
    },
    Intended {
        name: "null-path",
        reason: "a path that is null makes a request undecodable: it is answered as such before anything else, and \
                 neither a zxid nor a watch comes of it",
        anywhere: false,
        explains: |frame, _, ours| {
            let null = |f: &Frame| f.text.starts_with("null path") || f.text.starts_with("create1 null");
            frame.is_some_and(null) && (ours.contains(" err=-5 ") || ours.contains(" fence "))
        },
    },
    Intended {
        name: "ttl-without-flag",
        reason: "a create with a time to live whose flags make no TTL node is refused, with or without a time: it \
                 could only make something else than it says",
        anywhere: false,
        explains: |frame, java, ours| {
            let told = java.contains(" err=-114 ") && ours.contains(" err=-8 ");
            frame.is_some_and(|f| f.op == 21) && told
        },
    },
    Intended {
        name: "wrong-password",
        reason: "who wants a session with a wrong password is refused before the connection that holds the session is \
                 closed: knowing an id is not enough to disturb its owner",
        anywhere: false,
        explains: |frame, java, ours| frame.is_none() && java == "S0 closed" && ours.contains("S0 fence "),
    },
];

/// The intended difference that explains a pair of lines.
pub fn explain(
    script: &Script,
    step: usize,
    frame: Option<usize>,
    java: &str,
    ours: &str,
) -> Option<&'static Intended> {
    let finale = step == script.steps.len() + 2;
    let asked = match script.steps.get(step) {
        _ if finale => script.finale.as_ref().and_then(Finale::frame),
        Some(Step::Burst { frames, .. }) => frame.and_then(|at| frames.get(at)),
        _ => None,
    };
    INTENDED.iter().find(|d| (finale || d.anywhere) && (d.explains)(asked, java, ours))
}

//! Which op codes and error codes a run has reached, and which it cannot.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Replies counted by op code and error code.
#[derive(Clone, Debug, Default)]
pub struct Seen(BTreeMap<(i32, i32), usize>);

/// Op codes and their names.
pub const OPS: &[(i32, &str)] = &[
    (0, "notification"),
    (1, "create"),
    (2, "delete"),
    (3, "exists"),
    (4, "getData"),
    (5, "setData"),
    (6, "getACL"),
    (7, "setACL"),
    (8, "getChildren"),
    (9, "sync"),
    (11, "ping"),
    (12, "getChildren2"),
    (13, "check"),
    (14, "multi"),
    (15, "create2"),
    (16, "reconfig"),
    (17, "checkWatches"),
    (18, "removeWatches"),
    (19, "createContainer"),
    (20, "deleteContainer"),
    (21, "createTTL"),
    (22, "multiRead"),
    (100, "auth"),
    (101, "setWatches"),
    (102, "sasl"),
    (103, "getEphemerals"),
    (104, "getAllChildrenNumber"),
    (105, "setWatches2"),
    (106, "addWatch"),
    (107, "whoAmI"),
    (-10, "createSession"),
    (-11, "closeSession"),
    (-1, "error"),
];

/// Error codes that a standalone server gives to requests.
pub const CODES: &[(i32, &str)] = &[
    (0, "OK"),
    (-2, "RUNTIMEINCONSISTENCY"),
    (-5, "MARSHALLINGERROR"),
    (-6, "UNIMPLEMENTED"),
    (-8, "BADARGUMENTS"),
    (-101, "NONODE"),
    (-102, "NOAUTH"),
    (-103, "BADVERSION"),
    (-108, "NOCHILDRENFOREPHEMERALS"),
    (-110, "NODEEXISTS"),
    (-111, "NOTEMPTY"),
    (-114, "INVALIDACL"),
    (-115, "AUTHFAILED"),
    (-121, "NOWATCHER"),
    (-123, "RECONFIGDISABLED"),
    (-124, "SESSIONCLOSEDREQUIRESASLAUTH"),
    (-125, "QUOTAEXCEEDED"),
];

/// Error codes that a script cannot bring a standalone server to, and why.
pub const OUT_OF_REACH: &[(i32, &str, &str)] = &[
    (-1, "SYSTEMERROR", "never sent on purpose"),
    (-3, "DATAINCONSISTENCY", "never sent by 3.9.5"),
    (-4, "CONNECTIONLOSS", "made by clients"),
    (-7, "OPERATIONTIMEOUT", "made by clients"),
    (-12, "UNKNOWNSESSION", "a connection of an untracked session is closed before it can ask"),
    (-13, "NEWCONFIGNOQUORUM", "needs an ensemble"),
    (-14, "RECONFIGINPROGRESS", "needs an ensemble"),
    (-100, "APIERROR", "a boundary, never sent"),
    (-112, "SESSIONEXPIRED", "a race: the connection of a closing session is closed too"),
    (-113, "INVALIDCALLBACK", "made by clients"),
    (-118, "SESSIONMOVED", "needs an ensemble"),
    (-119, "NOTREADONLY", "needs an ensemble without quorum"),
    (-120, "EPHEMERALONLOCALSESSION", "local sessions need an ensemble"),
    (-122, "REQUESTTIMEOUT", "made by clients"),
    (-127, "THROTTLEDOP", "depends on the time a request waits, not on what it is"),
];

impl Seen {
    /// Counts a reply; the results inside a multi count for their codes.
    pub fn note(&mut self, op: i32, err: i32, body: &[u8]) {
        *self.0.entry((op, err)).or_default() += 1;
        if op == 14 || op == 22 {
            // Error results are a header of type -1, not done, followed by the code.
            for part in body.windows(13).filter(|w| w[..5] == [0xff, 0xff, 0xff, 0xff, 0]) {
                let code = i32::from_be_bytes([part[9], part[10], part[11], part[12]]);
                if part[5..9] == part[9..13] {
                    *self.0.entry((op, code)).or_default() += 1;
                }
            }
        }
    }

    /// Adds what another run has seen.
    pub fn add(&mut self, other: &Seen) {
        for (key, n) in &other.0 {
            *self.0.entry(*key).or_default() += n;
        }
    }

    /// Op codes without a reply, and reachable error codes that did not come.
    pub fn missing(&self) -> Vec<String> {
        let ops = OPS.iter().filter(|(op, _)| !self.0.keys().any(|(o, _)| o == op));
        let codes = CODES.iter().filter(|(code, _)| !self.0.keys().any(|(_, c)| c == code));
        ops.map(|(n, name)| format!("op {name} ({n})"))
            .chain(codes.map(|(n, name)| format!("code {name} ({n})")))
            .collect()
    }

    /// The table: op by code.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (op, name) in OPS {
            let of_op = self.0.iter().filter(|((o, _), _)| o == op);
            let counts: Vec<String> = of_op
                .map(|((_, code), n)| {
                    let code = CODES.iter().find(|(c, _)| c == code).map_or("?", |(_, name)| name);
                    format!("{code} {n}")
                })
                .collect();
            let _ = writeln!(text, "  {name:21} {}", counts.join(", "));
        }
        for (code, name, why) in OUT_OF_REACH {
            let _ = writeln!(text, "  out of reach: {name} ({code}): {why}");
        }
        text
    }
}

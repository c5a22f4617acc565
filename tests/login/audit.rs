//! Who acts in the audit log when a server with a keytab starts and stops: its principal, as on Java.

use crate::need;
use crate::site::{SERVICE, Site, start};
use crate::support::java;
use crate::support::server::Kind;

/// The users of the records of an operation.
fn users(log: &str, operation: &str) -> Vec<String> {
    let of = |line: &str| {
        let record = line.split_once("user=")?.1;
        let (user, rest) = record.split_once('\t')?;
        rest.contains(operation).then(|| user.to_owned())
    };
    log.lines().filter_map(of).collect()
}

#[test]
fn a_server_with_a_keytab_starts_and_stops_by_its_principal() {
    need!("audit of a start with a keytab", java::classpath(Kind::Java395));
    let site = need!("audit of a start with a keytab", Site::new("AUDIT.TEST", &[]));
    let principal = format!("{SERVICE}@{}", site.realm.name());
    for kind in [Kind::Java395, Kind::Oxkeeper] {
        let mut server = start(kind, &site.spec().cfg("audit.enable=true"));
        server.stop();
        let log = server.log();
        for operation in ["operation=serverStart", "operation=serverStop"] {
            assert_eq!(users(&log, operation), [principal.as_str()], "{kind:?}, {operation}:\n{log}");
        }
    }
}

//! HBase: the check of the base znode's ACL at a master's start, and what clients of another principal may read.

use super::actor::Actor;
use super::field::{Field, SESSION_MS};

const SERVER: &str = "/hbase/rs/server1";

/// A master that also serves regions, and the ACLs it made.
pub struct HBase {
    master: Actor,
    acls: String,
    owner: String,
}

impl HBase {
    /// The checks of a master's start, and a client of another principal.
    pub fn begin(field: &mut Field<'_>) -> HBase {
        let mut master = watcher(field, "hbase", true);
        assert_eq!(master.ask("user", "user"), "hbase");
        master.ask("check", "checked");
        for path in ["/hbase/meta-region-server", "/hbase/splitWAL/t1"] {
            master.ask(&format!("create {path}"), "created");
        }
        assert_eq!(master.ask(&format!("serve {SERVER}"), "serves"), "true");
        let first = master.ask("acls /hbase", "acls");
        assert!(first.starts_with("/hbase=[sasl:hbase:31, world:anyone:1]"), "{first}");
        field.note("hbase: ACLs at the start", &first);

        master.ask("check", "checked");
        assert_eq!(master.ask("acls /hbase", "acls"), first, "a base that is right is left as it is");
        master.ask("open /hbase/table", "opened");
        master.ask("open /hbase", "opened");
        master.ask("check", "checked");
        let acls = master.ask("acls /hbase", "acls");
        assert!(!acls.contains("world:anyone:31"), "{acls}");
        field.note("hbase: ACLs after a start on an open base", &acls);

        stranger(field);
        let owner = field.owner("hbase", SERVER).expect("it serves");
        HBase { master, acls, owner }
    }

    /// After the end of the leader.
    pub fn goes_on(&mut self, field: &mut Field<'_>) {
        // Wherever its session was before the kill, it is served now.
        field.server_of(&self.owner);
        assert_eq!(field.owner("hbase", SERVER).as_ref(), Some(&self.owner));
        assert_eq!(self.master.ask("acls /hbase", "acls"), self.acls);
        self.master.never(&["aborts"]);
        field.note("hbase: the leader is killed", "the region server's znode stays");
    }

    /// The process dies: so does its znode.
    pub fn dies(mut self, field: &mut Field<'_>) {
        self.master.kill();
        field.until("the region server's znode goes", |field| {
            field.owner("hbase", SERVER).is_none().then_some(())
        });
        field.note("hbase: the region server is killed", "its znode goes");
    }
}

fn watcher(field: &Field<'_>, who: &str, master: bool) -> Actor {
    let mut conf = vec![
        ("hadoop.security.authentication", "kerberos".to_owned()),
        ("hbase.security.authentication", "kerberos".to_owned()),
        ("hbase.zookeeper.quorum", field.servers()),
        ("hbase.zookeeper.client.kerberos.principal", Field::principal(who)),
        ("zookeeper.session.timeout", SESSION_MS.to_string()),
        ("master", master.to_string()),
    ];
    // From a keytab HBase logs in itself; tickets it takes as its JAAS file says.
    if !field.way.ticket {
        conf.push(("hbase.zookeeper.client.keytab.file", field.keytab(who).display().to_string()));
    }
    field.actor(if master { "hmaster" } else { who }, who, field.way.ticket, "Base", &conf)
}

/// A client of another principal reads what is public, and nothing else.
fn stranger(field: &mut Field<'_>) {
    let mut bob = watcher(field, "bob", false);
    for (asked, wanted, answer) in [
        ("list /hbase", "lists", None),
        ("read /hbase/meta-region-server", "reads", Some("x")),
        ("read /hbase/splitWAL/t1", "reads", Some("NOAUTH")),
        ("list /hbase/splitWAL", "lists", Some("NOAUTH")),
        ("delete /hbase/splitWAL/t1", "deletes", Some("NOAUTH")),
        ("delete /hbase/meta-region-server", "deletes", Some("NOAUTH")),
        ("delete /hbase/rs/server1", "deletes", Some("NOAUTH")),
    ] {
        let told = bob.ask(asked, wanted);
        assert!(answer.is_none_or(|answer| answer == told), "{asked}: {told}");
        field.note(&format!("hbase: bob asks to {asked}"), &told);
    }
}

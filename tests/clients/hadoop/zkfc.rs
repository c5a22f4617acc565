//! HDFS: Hadoop's own ActiveStandbyElector, as ZKFC sets it up.
//!
//! # Invariants
//! * The lock's session and what the electors say decide; nothing is concluded from time.

use super::actor::Actor;
use super::field::{Field, SESSION_MS};

const PARENT: &str = "/hadoop-ha/cluster";
const LOCK: &str = "/hadoop-ha/cluster/ActiveStandbyElectorLock";
const CRUMB: &str = "/hadoop-ha/cluster/ActiveBreadCrumb";

/// The electors: one is active, the other one waits.
pub struct Hdfs {
    active: Actor,
    standby: Actor,
}

impl Hdfs {
    /// The first election, strangers at its znodes, the server under the active one killed; at the end the active
    /// process is killed.
    pub fn begin(field: &mut Field<'_>) -> Hdfs {
        let mut one = elector(field, "nn1");
        one.ask("format", "formatted");
        one.tell("join");
        one.hear("active");
        let mut two = elector(field, "nn2");
        two.tell("join");
        two.hear("standby");
        assert_eq!(two.ask("who", "leads"), "nn1");
        let acl = field.told("hdfs", &["getAcl", CRUMB]);
        field.note("zkfc: ACL of the breadcrumb", &acl.replace('\n', " "));
        strangers(field);
        let mut hdfs = Hdfs { active: one, standby: two };
        hdfs.keeps(field, true);
        hdfs.standby.mark();
        hdfs.active.kill();
        hdfs
    }

    /// The other one fences the one that died and takes over; a new one is the standby then.
    pub fn takes_over(&mut self, field: &mut Field<'_>) {
        let fenced = self.standby.hear("fences");
        self.standby.hear("active");
        let crumb = field.told("hdfs", &["get", CRUMB]);
        field.note("zkfc: the active process is killed", &format!("{fenced} is fenced, then {crumb} leads"));
        assert_eq!((fenced.as_str(), crumb.as_str()), ("nn1", "nn2"));
        let mut three = elector(field, "nn3");
        three.tell("join");
        three.hear("standby");
        self.turn(three);
    }

    /// Who waited is active, and `standby` waits.
    fn turn(&mut self, standby: Actor) {
        self.active = std::mem::replace(&mut self.standby, standby);
    }

    /// The server under the active one ends and comes back; the active one keeps its lock and its session.
    pub fn keeps(&mut self, field: &mut Field<'_>, kill: bool) {
        let before = field.owner("hdfs", LOCK).expect("somebody is active");
        self.active.mark();
        self.standby.mark();
        field.end_server_under(&before, kill);
        self.active.hear("neutral");
        self.active.hear("active");
        self.standby.never(&["active", "fences"]);
        self.active.never(&["standby", "fences"]);
        assert_eq!(field.owner("hdfs", LOCK), Some(before));
        let how = if kill { "killed" } else { "restarted" };
        field.note(&format!("zkfc: the server under the active one is {how}"), "the lock stays");
    }

    /// The active one leaves the election: nobody is fenced.
    pub fn hands_over(&mut self, field: &mut Field<'_>) {
        self.standby.mark();
        self.active.ask("quit", "gone");
        self.standby.hear("active");
        self.standby.never(&["fences"]);
        let crumb = field.told("hdfs", &["get", CRUMB]);
        assert_eq!(crumb, "nn3");
        field.note("zkfc: the active one hands over", &format!("{crumb} leads, nobody is fenced"));
        self.active.mark();
        self.active.tell("join");
        self.active.hear("standby");
        std::mem::swap(&mut self.active, &mut self.standby);
    }

    /// The active process stands still until its session ends: it is fenced, and finds itself in second place.
    pub fn stands_still(&mut self, field: &mut Field<'_>) {
        self.standby.mark();
        self.active.mark();
        self.active.pause();
        let fenced = self.standby.hear("fences");
        self.standby.hear("active");
        self.active.resume();
        self.active.hear("standby");
        self.active.never(&["active"]);
        field.note(
            "zkfc: the active process stands still",
            &format!("{fenced} is fenced and is standby then"),
        );
        std::mem::swap(&mut self.active, &mut self.standby);
    }
}

fn elector(field: &Field<'_>, name: &str) -> Actor {
    let conf = [
        ("name", name.to_owned()),
        ("parent", PARENT.to_owned()),
        ("ha.zookeeper.quorum", field.servers()),
        ("ha.zookeeper.acl", "sasl:hdfs:rwcda".to_owned()),
        ("ha.zookeeper.session-timeout.ms", SESSION_MS.to_string()),
    ];
    field.actor(name, "hdfs", true, "Zkfc", &conf)
}

/// Another principal is kept out, whatever it tries.
fn strangers(field: &mut Field<'_>) {
    let child = format!("{PARENT}/x");
    for words in [
        &["get", CRUMB][..],
        &["ls", PARENT],
        &["getAcl", LOCK],
        &["set", CRUMB, "bob"],
        &["delete", LOCK],
        &["deleteall", PARENT],
        &["create", &child, "bob"],
        &["setAcl", PARENT, "world:anyone:cdrwa"],
    ] {
        field.refused("bob", words);
    }
}

//! YARN: two ResourceManagers with their own leader election and ZKRMStateStore.
//!
//! # Invariants
//! * The store is judged by what the leading ResourceManager reads from it.

use super::actor::Actor;
use super::field::{Field, SESSION_MS};
use crate::support::ports;

const STORE: &str = "/rmstore/ZKRMStateRoot";
const ELECTION: &str = "/yarn-leader-election/cluster";

/// The ResourceManagers: one leads, the other one waits.
pub struct Yarn {
    active: Actor,
    standby: Actor,
    pair: Pair,
}

/// Addresses of both, which each of them has to know.
struct Pair {
    ports: [u16; 2],
}

impl Yarn {
    /// The first election, strangers at its znodes, the server under the active one killed; at the end the active
    /// process stands still.
    pub fn begin(field: &mut Field<'_>) -> Yarn {
        let pair = Pair { ports: [ports::block(5), ports::block(5)] };
        let mut one = pair.start(field, "rm1");
        one.hear("active");
        let two = pair.start(field, "rm2");
        store(&mut one, 1, "[1]");
        strangers(field);
        let mut yarn = Yarn { active: one, standby: two, pair };
        yarn.keeps(field, 2, true);
        yarn.active.mark();
        yarn.standby.mark();
        yarn.active.pause();
        yarn
    }

    /// Another one leads; what the former leader writes now does not reach the store. Then the new leader is killed.
    pub fn fences(&mut self, field: &mut Field<'_>) {
        self.standby.hear("active");
        store(&mut self.standby, 3, "[1, 2, 3]");
        self.active.tell("store 99");
        self.active.resume();
        self.active.hear("standby");
        let keys = self.standby.ask("keys", "keys");
        self.standby.never(&["standby"]);
        assert_eq!(keys, "[1, 2, 3]");
        field.note("yarn: a former leader writes", &format!("it is fenced, the store holds {keys}"));
        std::mem::swap(&mut self.active, &mut self.standby);
        self.standby.mark();
        self.active.kill();
    }

    /// The one that was fenced leads again.
    pub fn takes_over(&mut self, field: &mut Field<'_>) {
        self.standby.hear("active");
        let keys = self.standby.ask("keys", "keys");
        assert_eq!(keys, "[1, 2, 3]");
        field.note("yarn: the active process is killed", &format!("the other one leads and has {keys}"));
        let fresh = self.pair.start(field, "rm2");
        self.active = std::mem::replace(&mut self.standby, fresh);
    }

    /// The active one stops in order, and the other one leads at once.
    pub fn hands_over(&mut self, field: &mut Field<'_>) {
        self.standby.mark();
        self.active.ask("stop", "gone");
        self.standby.hear("active");
        store(&mut self.standby, 4, "[1, 2, 3, 4]");
        field.note("yarn: the active one hands over", "the other one leads and writes");
    }

    /// A third one waits while the server under the active one is restarted.
    pub fn stays(&mut self, field: &mut Field<'_>) {
        let fresh = self.pair.start(field, "rm1");
        self.active = std::mem::replace(&mut self.standby, fresh);
        self.keeps(field, 5, false);
    }

    /// The server under the active one ends and comes back; the active one goes on.
    fn keeps(&mut self, field: &mut Field<'_>, key: u32, kill: bool) {
        let before = session(field);
        self.active.mark();
        self.standby.mark();
        field.end_server_under(&before, kill);
        let all: Vec<u32> = (1..=key).collect();
        store(&mut self.active, key, &format!("{all:?}"));
        self.standby.never(&["active"]);
        self.active.never(&["standby"]);
        assert_eq!(session(field), before);
        let how = if kill { "killed" } else { "restarted" };
        field.note(&format!("yarn: the server under the active one is {how}"), "it leads on and writes");
    }
}

impl Pair {
    fn start(&self, field: &Field<'_>, id: &str) -> Actor {
        let mut conf: Vec<(String, String)> = Vec::new();
        let mut set =
            |key: &str, value: &str| conf.push((format!("yarn.resourcemanager.{key}"), value.to_owned()));
        for (rm, first) in ["rm1", "rm2"].iter().zip(self.ports) {
            let kinds = ["address", "scheduler.address", "resource-tracker.address", "admin.address"];
            for (kind, port) in kinds.iter().chain(&["webapp.address"]).zip(first..) {
                set(&format!("{kind}.{rm}"), &format!("127.0.0.1:{port}"));
            }
        }
        set("ha.enabled", "true");
        set("ha.rm-ids", "rm1,rm2");
        set("ha.id", id);
        set("cluster-id", "cluster");
        set("recovery.enabled", "true");
        set("store.class", "org.apache.hadoop.yarn.server.resourcemanager.recovery.ZKRMStateStore");
        set("scheduler.class", "org.apache.hadoop.yarn.server.resourcemanager.scheduler.fifo.FifoScheduler");
        let zk = [
            ("hadoop.zk.address", field.servers()),
            ("hadoop.zk.acl", "sasl:yarn:rwcda".to_owned()),
            ("hadoop.zk.timeout-ms", SESSION_MS.to_string()),
            ("hadoop.zk.retry-interval-ms", "200".to_owned()),
        ];
        let conf: Vec<(&str, String)> =
            zk.into_iter().chain(conf.iter().map(|(key, value)| (key.as_str(), value.clone()))).collect();
        field.actor(id, "yarn", true, "Rm", &conf)
    }
}

/// The leader writes; the store holds `all` then.
fn store(rm: &mut Actor, key: u32, all: &str) {
    rm.ask(&format!("store {key}"), "asked");
    assert_eq!(rm.ask("keys", "keys"), all);
}

/// Another principal is kept out; and who logs in as YARN but is not the leader cannot change the store.
fn strangers(field: &mut Field<'_>) {
    let (lock, child) = (format!("{STORE}/RM_ZK_FENCING_LOCK"), format!("{STORE}/RMAppRoot/x"));
    for words in [
        &["get", STORE][..],
        &["ls", STORE],
        &["create", &lock],
        &["create", &child],
        &["deleteall", "/rmstore"],
        &["setAcl", STORE, "world:anyone:cdrwa"],
        &["ls", ELECTION],
    ] {
        field.refused("bob", words);
    }
    field.refused("yarn", &["create", &lock]);
    field.refused("yarn", &["delete", &format!("{STORE}/EpochNode")]);
}

/// The session that leads.
fn session(field: &mut Field<'_>) -> String {
    let lock = format!("{ELECTION}/ActiveStandbyElectorLock");
    field.until("somebody leads", |field| field.owner("yarn", &lock))
}

//! Kafka: a broker with ZooKeeper registers itself under ACLs of its own.

use super::field::{Field, SESSION_MS};
use crate::support::process::Process;
use crate::support::{cache, ports};

const BROKER: &str = "/brokers/ids/0";

/// A broker.
pub struct Kafka {
    broker: Process,
    owner: String,
}

impl Kafka {
    /// It registers itself; strangers at its znodes.
    pub fn begin(field: &mut Field<'_>) -> Kafka {
        let mut broker = start(field);
        field.until("the broker is registered and leads", |field| {
            assert!(broker.ended().is_none(), "the broker ended:\n{}", broker.log());
            let controls = field.told("kafka", &["get", "/controller"]).contains("\"brokerid\":0");
            (controls && field.owner("kafka", BROKER).is_some()).then_some(())
        });
        for path in [BROKER, "/controller", "/config/users", "/cluster/id"] {
            let acl = field.told("kafka", &["getAcl", path]);
            assert!(acl.contains("'sasl,'kafka"), "{path}: {acl}");
            field.note(&format!("kafka: ACL of {path}"), &acl.replace('\n', " "));
        }
        for words in [
            &["delete", BROKER][..],
            &["set", BROKER, "bob"],
            &["create", "/brokers/ids/7", "bob"],
            &["set", "/controller", "bob"],
            &["get", "/config/users"],
            &["setAcl", "/brokers", "world:anyone:cdrwa"],
        ] {
            field.refused("bob", words);
        }
        let read = field.told("bob", &["get", BROKER]);
        assert!(read.contains("\"endpoints\""), "what is public can be read: {read}");
        let owner = field.owner("kafka", BROKER).expect("it is registered");
        Kafka { broker, owner }
    }

    /// After the end of the leader: it is still registered, or again.
    pub fn goes_on(&mut self, field: &mut Field<'_>) {
        let after = field.until("the broker is registered", |field| field.owner("kafka", BROKER));
        field.server_of(&after);
        assert!(self.broker.ended().is_none(), "the broker ended:\n{}", self.broker.log());
        println!("kafka: the session is {}", if self.owner == after { "the same" } else { "another" });
        field.note("kafka: the leader is killed", "the broker is registered");
    }

    /// The process dies: so does its registration.
    pub fn dies(mut self, field: &mut Field<'_>) {
        self.broker.kill();
        field.until("the broker's znode goes", |field| field.owner("kafka", BROKER).is_none().then_some(()));
        field.note("kafka: the broker is killed", "its znode goes");
    }
}

fn start(field: &Field<'_>) -> Process {
    let mut lines = vec![
        "broker.id=0".to_owned(),
        format!("listeners=PLAINTEXT://127.0.0.1:{}", ports::free()),
        format!("log.dirs={}", field.dir.path().join("kafka-logs").display()),
        format!("zookeeper.connect={}", field.servers()),
        format!("zookeeper.session.timeout.ms={SESSION_MS}"),
        "zookeeper.connection.timeout.ms=60000".to_owned(),
        "zookeeper.set.acl=true".to_owned(),
        "log.cleaner.enable=false".to_owned(),
    ];
    let few = ["num.network.threads", "num.io.threads", "background.threads", "num.replica.fetchers"];
    lines.extend(few.map(|key| format!("{key}=1")));
    let properties = field.dir.write("server.properties", &(lines.join("\n") + "\n"));
    let mut java = field.java("kafka", true);
    let classpath = format!("{}:{}/*", cache::java_conf().display(), field.tools.kafka.display());
    java.args(["-cp", &classpath, "kafka.Kafka"]).arg(properties);
    Process::start(java, &field.dir.path().join("kafka.log")).unwrap_or_else(|e| panic!("java: {e}"))
}

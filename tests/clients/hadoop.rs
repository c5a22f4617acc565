//! Hadoop's, HBase's and Kafka's own classes at secure ensembles of three: what they meet at Java's servers they meet
//! at ours.
//!
//! HDFS: the ActiveStandbyElector of ZKFC. YARN: two ResourceManagers, election and ZKRMStateStore. HBase: the
//! check of the base znode's ACL. Kafka: a broker. Beside them zkCli and the C client. Servers and processes are
//! killed, stopped and restarted under them.
//!
//! # Invariants
//! * The same case runs on three Java servers and on three of ours, with the same configuration, and both end with the
//!   same notes.
//! * `make test` runs one way to log in; `make hadoop` (`OXKEEPER_CLIENTS=full`) runs keytab and ticket cache, with
//!   and without TLS.

mod actor;
mod field;
mod hbase;
mod kafka;
mod rm;
mod shells;
mod zkfc;

use std::thread;

use field::{Field, Tools, Way};
use hbase::HBase;
use kafka::Kafka;
use rm::Yarn;
use zkfc::Hdfs;

use crate::need;
use crate::support::{Kind, java};
use crate::transcript::difference;

/// The way of `make test`, and the further ones.
const WAYS: [Way; 4] = [
    Way { ticket: false, tls: true },
    Way { ticket: true, tls: false },
    Way { ticket: true, tls: true },
    Way { ticket: false, tls: false },
];

/// What one kind of server came to. Where a session has to end by its time, another program goes on meanwhile.
fn notes(kind: Kind, way: Way, tools: &Tools) -> Vec<String> {
    let mut field = Field::start(kind, way, tools).unwrap_or_else(|why| panic!("{why}"));
    shells::play(&mut field);
    let mut hdfs = Hdfs::begin(&mut field);
    let mut hbase = HBase::begin(&mut field);
    hdfs.takes_over(&mut field);
    let mut yarn = Yarn::begin(&mut field);
    let mut kafka = Kafka::begin(&mut field);
    yarn.fences(&mut field);
    hdfs.hands_over(&mut field);
    yarn.takes_over(&mut field);
    field.kill_leader();
    hbase.goes_on(&mut field);
    kafka.goes_on(&mut field);
    hdfs.keeps(&mut field, false);
    yarn.hands_over(&mut field);
    if crate::full() {
        yarn.stays(&mut field);
        hdfs.stands_still(&mut field);
        hbase.dies(&mut field);
        kafka.dies(&mut field);
    }
    field.into_notes()
}

#[test]
fn hadoop_hbase_and_kafka_meet_with_us_what_they_meet_with_java() {
    let part = "Hadoop, HBase and Kafka at secure ensembles";
    need!(part, java::classpath(Kind::Java395));
    need!(part, crate::harness::site::available());
    let tools = need!(part, Tools::prepare());
    for way in &WAYS[..if crate::full() { WAYS.len() } else { 1 }] {
        println!("{way:?}");
        let (control, ours) = thread::scope(|scope| {
            let control = scope.spawn(|| notes(Kind::Java395, *way, &tools));
            let ours = notes(crate::OURS, *way, &tools);
            (control.join().expect("the control ran"), ours)
        });
        assert_eq!(difference(&control, &ours), None, "{}", difference(&control, &ours).unwrap_or_default());
    }
}

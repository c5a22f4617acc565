//! Real clients against real servers: what passes against Java ZooKeeper passes against Oxkeeper.
//!
//! `OXKEEPER_CLIENTS=full` (`make clients`, `make hadoop`) runs all of Curator's tests, kazoo's suite on ensembles and all
//! ways into a secure ensemble, otherwise those that are quick.
#[path = "../support/mod.rs"]
mod support;

mod c_client;
mod curator;
mod hadoop;
#[path = "../support/ensemble/mod.rs"]
mod harness;
mod kazoo;
mod outcomes;
mod sasl;
mod transcript;
mod zkcli;

use support::{Kind, Server, Spec};

/// The server under test.
const OURS: Kind = Kind::Oxkeeper;

/// Whether the tests that take long are wanted as well.
fn full() -> bool {
    std::env::var("OXKEEPER_CLIENTS").is_ok_and(|value| value == "full")
}

/// Every Java peer of the cache starts, says what it is, and ends when told.
#[test]
fn java_servers_start_answer_and_stop() {
    for kind in [Kind::Java395, Kind::Java386, Kind::Debian380, Kind::Java3414] {
        need!(&format!("{kind:?}"), support::java::classpath(kind));
        let mut server = Server::start(kind, &Spec::new()).expect("the server comes up");
        assert!(server.ask("srvr").contains("Mode: standalone"), "{}", server.ask("srvr"));
        assert_eq!(server.ask("ruok"), "imok");
        assert_eq!(server.stop().and_then(|status| status.code()), Some(143));
    }
}

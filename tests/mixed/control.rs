//! The control: the same cell with Java's servers alone. It proves the harness: what is asked of ours holds there.

use crate::cell;
use crate::harness::{Plan, Security};
use crate::matrix::kinds;
use crate::need;
use crate::support::{Kind, java};

fn control(kind: Kind, security: Security) {
    let _turn = crate::turn();
    need!(&format!("mixed: control on {kind:?}"), java::classpath(kind));
    let plan = Plan::of(&[kind; 3]).secured(security);
    if security.sasl == crate::harness::Sasl::Kerberos {
        need!("mixed: control with Kerberos", crate::harness::site::available());
    }
    match cell::run(&plan, kind, 2) {
        Ok(shown) => println!("{kind:?} {security:?}: {shown}"),
        Err(why) => panic!("{kind:?} {security:?}: {why}"),
    }
}

#[test]
fn javas_servers_alone_lose_nothing() {
    control(Kind::Java395, Security::PLAIN);
}

#[test]
fn javas_servers_alone_with_kerberos_and_tls_lose_nothing() {
    control(Kind::Java395, Security { clients: false, ..Security::FULL });
}

#[test]
fn every_line_of_java_alone_loses_nothing() {
    if !crate::full() {
        return;
    }
    for kind in kinds() {
        for security in [Security::PLAIN, Security::DIGEST, Security::KERBEROS, Security::TLS] {
            control(kind, security);
        }
    }
}

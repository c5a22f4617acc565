//! Nobody is somebody else: forged identities by every way in, none accepted, each refused for its own reason.
//!
//! Kerberos with real KDCs (a foreign realm with and without trust, and a second KDC that calls itself by our realm's
//! name), authorization ids, names of odd shapes, DIGEST-MD5, `addauth`, and names of certificates; the last three at
//! the functions that decide and, from a client's side, at a started server. A case passes when
//! it is refused for the expected reason; where nothing is forged but the name looks like power, it passes when the
//! login has its own id and nothing else.
//!
//! # Invariants
//! * Every case goes through what a connection goes through; the table is printed, and its rows are counted.

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code)] // this ring takes fewer liberties
#[path = "../kerberos/client.rs"]
mod client;
#[allow(dead_code)]
#[path = "../kerberos/inside.rs"]
mod inside;

#[allow(dead_code)]
#[path = "../support/pki.rs"]
mod pki;

mod addauth;
mod certificates;
mod digest;
mod realms;
mod served;
mod table;
mod talk;

use inside::inside;
use support::kdc::Realm;
use support::skip::not_run;
use table::Table;

/// Fewest cases of all ways in.
const CASES: usize = 120;

#[test]
fn forged_identities_are_refused_each_for_its_reason() {
    if inside() {
        return realms::cases();
    }
    let mut table = Table::default();
    addauth::cases(&mut table);
    certificates::cases(&mut table);
    digest::cases(&mut table);
    served::cases(&mut table);
    let home = Realm::start("ZK.TEST");
    let kerberos = home.is_ok();
    match home {
        Ok(home) => realms::outside(home, &mut table),
        Err(why) => not_run("forged Kerberos identities", &why),
    }
    table.print();
    assert!(
        !kerberos || table.rows().len() >= CASES,
        "{} cases, at least {CASES} wanted",
        table.rows().len()
    );
    assert!(table.wrong().is_empty(), "{:#?}", table.wrong());
}

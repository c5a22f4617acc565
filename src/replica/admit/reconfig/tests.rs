//! Tests of the parent module.

use super::*;

const ZXID: Zxid = Zxid::new(1, 9);

fn standing(members: &str) -> Standing {
    let ensemble = Ensemble::parse(members, false).expect("a configuration");
    Standing {
        me: ServerId(1),
        active: i64::try_from(ensemble.version).expect("a zxid"),
        last_seen: Arc::new(Quorum::new(&ensemble)),
        synced: [2, 3].map(ServerId).into(),
        standalone_enabled: true,
        multi_address: false,
    }
}

fn three() -> Standing {
    standing(
        "server.1=a:1:2:participant;5\nserver.2=b:1:2:participant;5\nserver.3=c:1:2:participant;5\n\
         version=100000000",
    )
}

fn steps<'a>(joining: &'a str, leaving: &'a str) -> Wish<'a> {
    let given = |text: &'a str| Some(text).filter(|t| !t.is_empty());
    Wish { joining: given(joining), leaving: given(leaving), members: None, config_id: -1 }
}

fn members(text: &str) -> Wish<'_> {
    Wish { joining: None, leaving: None, members: Some(text), config_id: -1 }
}

fn made(standing: &Standing, wish: &Wish<'_>) -> Result<String, Code> {
    next(standing, wish, ZXID).map(|e| e.to_string().replace(":participant", ""))
}

#[test]
fn members_leave_first_and_join_afterwards() {
    let expected = "server.1=a:1:2;0.0.0.0:5\nserver.2=z:1:2;0.0.0.0:5\nserver.4=d:1:2:observer;0.0.0.0:6\n\
                    version=100000009";
    let wish = steps(" server.4 = d:1:2:observer;6 ,, 2=z:1:2;5", "3, 7");
    assert_eq!(made(&three(), &wish).as_deref(), Ok(expected));
}

#[test]
fn a_whole_configuration_takes_the_place_of_the_old_one() {
    let expected = "server.2=b:1:2\nserver.3=c:1:2\nversion=100000009";
    assert_eq!(made(&three(), &members("server.2=b:1:2,server.3=c:1:2,version=7")).as_deref(), Ok(expected));
    assert_eq!(made(&three(), &members("server.2=b:1:2\nserver.3=c:1:2")).as_deref(), Ok(expected));
}

#[test]
fn one_at_a_time_and_from_the_version_that_the_client_saw() {
    let mut pending = three();
    pending.active -= 1;
    assert_eq!(made(&pending, &steps("", "3")), Err(Code::ReconfigInProgress));
    let from = |config_id| Wish { config_id, ..steps("", "3") };
    assert_eq!(made(&three(), &from(0x1_0000_0001)), Err(Code::BadVersion));
    assert!(made(&three(), &from(0x1_0000_0000)).is_ok());
}

#[test]
fn requests_that_java_refuses_are_refused_with_its_code() {
    let table = [
        (steps("server.4=d:1:2", ""), Code::BadArguments),
        (steps("server.4=d:1;5", ""), Code::BadArguments),
        (steps("server.4", ""), Code::BadArguments),
        (steps("server.4=d:1:2;5=x", ""), Code::BadArguments),
        (steps("server.4=b:1:2;5", ""), Code::BadArguments),
        (steps("server.4=d:1:2|e:1:2;5", ""), Code::BadArguments),
        (steps("server.x=d:1:2;5", ""), Code::MarshallingError),
        (steps("", "two"), Code::MarshallingError),
        (steps("", "2,3"), Code::BadArguments),
        (members("server.1=a:1:2"), Code::BadArguments),
        (members("server.1=a:1:2,server.2=b:1:2:observer"), Code::MarshallingError),
        (members("server.1=a:1:2:observer"), Code::MarshallingError),
        (members("server.x=a:1:2"), Code::MarshallingError),
        (members("tickTime=1"), Code::BadArguments),
        (members(""), Code::BadArguments),
        (members("server.1=a:1:2,server.2=b:1:2,group.1=1"), Code::BadArguments),
    ];
    for (wish, code) in table {
        let asked = format!("{:?} {:?} {:?}", wish.joining, wish.leaving, wish.members);
        assert_eq!(made(&three(), &wish), Err(code), "{asked}");
    }
}

#[test]
fn one_voter_is_enough_without_standalone_servers() {
    let alone = Standing { standalone_enabled: false, ..three() };
    assert!(made(&alone, &steps("", "2,3")).is_ok());
    assert_eq!(made(&alone, &steps("", "1,2,3")), Err(Code::BadArguments));
}

#[test]
fn a_quorum_of_the_new_configuration_has_to_be_in_step() {
    let join = |a: u64, b: u64| format!("server.{a}=x:1:2;5,server.{b}=y:1:2;5");
    let mut standing = three();
    assert!(made(&standing, &steps(&join(4, 5), "")).is_ok());
    standing.synced.remove(&ServerId(3));
    assert_eq!(made(&standing, &steps(&join(4, 5), "")), Err(Code::NewConfigNoQuorum));
    standing.synced.insert(ServerId(4));
    assert!(made(&standing, &steps(&join(4, 5), "")).is_ok());
    // The leader itself counts only where it votes.
    assert!(made(&standing, &steps("server.4=x:1:2;5", "1,3")).is_ok());
    assert_eq!(made(&standing, &steps("server.5=x:1:2;5", "1,3")), Err(Code::NewConfigNoQuorum));
}

#[test]
fn loopback_and_wildcard_addresses_may_be_shared() {
    let local = standing("server.1=127.0.0.1:1:2;3\nserver.2=localhost:1:2;3\nserver.3=[::1]:1:2;3");
    assert!(made(&local, &steps("server.4=127.0.0.1:1:2;0.0.0.0:3", "")).is_ok());
    // A member may be given again, at its own address.
    assert!(made(&three(), &steps("server.2=b:1:9;5", "")).is_ok());
    assert_eq!(made(&three(), &steps("server.4=B:7:1;5", "")), Err(Code::BadArguments));
}

#[test]
fn groups_are_changed_as_a_whole_only() {
    let text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\ngroup.1=1:2:3";
    let groups = standing(text);
    assert_eq!(made(&groups, &steps("", "3")), Err(Code::BadArguments));
    assert!(made(&groups, &members(&text.replace('\n', ","))).is_ok());
}

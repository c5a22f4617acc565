//! Tests of the parent module.

use super::*;
use proptest::prelude::*;

fn quorum(text: &str) -> Quorum {
    Quorum::new(&Ensemble::parse(text, false).expect("a configuration"))
}

fn members(participants: u64, observers: u64) -> String {
    let line = |id: u64| {
        let role = if id <= participants { "participant" } else { "observer" };
        format!("server.{id}=h{id}:1:2:{role}\n")
    };
    (1..=participants + observers).map(line).collect()
}

fn set(ids: &[i64]) -> BTreeSet<ServerId> {
    ids.iter().map(|&id| ServerId(id)).collect()
}

#[test]
fn more_than_half_of_the_voters_is_a_majority() {
    let three = quorum(&members(3, 2));
    assert!(!three.holds(&set(&[])));
    assert!(!three.holds(&set(&[2])));
    assert!(three.holds(&set(&[1, 3])));
    assert!(!quorum(&members(4, 0)).holds(&set(&[1, 2])));
    assert!(quorum(&members(1, 0)).holds(&set(&[1])));
}

#[test]
fn observers_and_strangers_do_not_count() {
    let three = quorum(&members(3, 2));
    assert!(!three.holds(&set(&[1, 4, 5, 9, -1])));
    assert!(three.observes(ServerId(4)) && !three.votes(ServerId(4)));
    assert!(!three.observes(ServerId(9)) && !three.observes(ServerId::NOBODY));
}

#[test]
fn nobody_agrees_in_an_empty_configuration() {
    let none = Quorum::new(&Ensemble::default());
    assert!(!none.holds(&set(&[])) && !none.holds(&set(&[1])));
}

/// ZOOKEEPER-479: groups were counted wrongly when the set held members of few of them.
#[test]
fn most_groups_have_to_be_won_by_most_of_their_weight() {
    let nine = quorum(&(members(9, 0) + "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n"));
    assert!(nine.holds(&set(&[1, 2, 4, 5])));
    assert!(!nine.holds(&set(&[1, 2, 3, 4])));
    assert!(!nine.holds(&set(&[1, 4, 7])));
    assert!(!nine.holds(&set(&[1, 2, 3])));
    assert!(nine.holds(&set(&[1, 2, 4, 5, 7])));
}

#[test]
fn members_without_weight_and_groups_without_weight_do_not_count() {
    let text = members(9, 0)
        + "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\nweight.7=0\nweight.8=0\nweight.9=0\nweight.1=3\n";
    let q = quorum(&text);
    // Two groups are left: both are needed. Server 1 alone wins its group.
    assert!(q.holds(&set(&[1, 4, 5])));
    assert!(!q.holds(&set(&[2, 3, 4, 5])));
    assert!(!q.holds(&set(&[1, 7, 8, 9])));
    assert_eq!([1, 2, 7, 10].map(|id| q.weight(ServerId(id))), [3, 1, 0, 0]);
    assert_eq!(quorum(&members(3, 1)).weight(ServerId(4)), 1);
}

#[test]
fn while_a_reconfiguration_is_pending_both_configurations_have_to_agree() {
    let old = Arc::new(quorum(&members(3, 0)));
    let new = Arc::new(quorum("server.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2\nversion=5"));
    let both = Quorums::new(old.clone(), Some(new.clone()));
    assert!(!both.holds(&set(&[1, 2])));
    assert!(!both.holds(&set(&[4, 5])));
    assert!(both.holds(&set(&[1, 3, 4])));
    assert_eq!(both.voters(), set(&[1, 2, 3, 4, 5]));
    assert!(both.votes(ServerId(5)) && !Quorums::from(old.clone()).votes(ServerId(5)));
    assert_eq!(both.newest().version(), 5);
    // What was seen earlier than the active one does not count.
    let after = Quorums::new(new.clone(), Some(old));
    assert_eq!((after.next(), after.newest()), (None, &new));
}

fn hierarchical() -> impl Strategy<Value = Quorum> {
    let weights = prop::collection::vec(0u64..3, 9);
    let groups = prop::collection::vec(1u64..4, 9);
    (weights, groups).prop_map(|(weights, groups)| {
        let mut text = members(9, 0);
        for group in 1..4 {
            let inside = (1..=9).filter(|id| groups[id - 1] == group).map(|id| id.to_string());
            let inside: Vec<String> = inside.collect();
            if !inside.is_empty() {
                text += &format!("group.{group}={}\n", inside.join(":"));
            }
        }
        for (i, weight) in weights.iter().enumerate() {
            text += &format!("weight.{}={weight}\n", i + 1);
        }
        quorum(&text)
    })
}

proptest! {
    #[test]
    fn two_quorums_have_a_member_in_common(
        q in prop_oneof![hierarchical(), (1u64..8).prop_map(|n| quorum(&members(n, 1)))],
        a in prop::collection::btree_set(0i64..10, 0..10),
        b in prop::collection::btree_set(0i64..10, 0..10),
    ) {
        let (a, b): (BTreeSet<_>, BTreeSet<_>) =
            (a.into_iter().map(ServerId).collect(), b.into_iter().map(ServerId).collect());
        prop_assert!(!(q.holds(&a) && q.holds(&b) && a.is_disjoint(&b)));
    }
}

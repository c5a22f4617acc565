//! Partitions and slow links, in network namespaces.

use std::time::{Duration, Instant};

use super::{Ring, plan, rounds, turn};
use crate::harness::member::Mode;
use crate::harness::network::Network;
use crate::harness::{Group, Plan, Security};
use crate::need;

/// How the network is hurt.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Nobody reaches the leader.
    LeaderAlone,
    /// Nobody reaches one follower.
    FollowerAlone,
    /// Leader and one follower do not reach each other; both reach the third.
    LeaderFromFollower,
    /// One follower's link carries little.
    SlowFollower,
    /// The leader's link carries little.
    SlowLeader,
}

const SHAPES: [Shape; 5] = [
    Shape::LeaderAlone,
    Shape::LeaderFromFollower,
    Shape::SlowFollower,
    Shape::FollowerAlone,
    Shape::SlowLeader,
];

/// Kilobits a second of a slow link: too little for the load, enough for pings.
const SLOW: u32 = 200;

#[test]
fn ensemble_partitions_lose_nothing_and_heal() {
    let _turn = turn();
    need!("ensemble: partitions in network namespaces", Network::new(1).map(drop));
    // The KDC listens on this machine's loopback, which a namespace does not reach: logins without one.
    let security = Security { tls: true, ..Security::DIGEST };
    let plan = Plan { apart: true, ..plan().secured(security) };
    let mut ring = Ring::start(&plan).unwrap_or_else(|why| panic!("{why}"));
    for shape in SHAPES.iter().cycle().take(rounds(3, 20)) {
        let (leader, follower) = (ring.leader(), ring.follower());
        ring.now(format!("{shape:?}: leader {leader}, follower {follower}"));
        let network = ring.group.network();
        let hurt = match shape {
            Shape::LeaderAlone => network.isolate(leader),
            Shape::FollowerAlone => network.isolate(follower),
            Shape::LeaderFromFollower => network.cut(leader, follower),
            Shape::SlowFollower => network.slow(follower, SLOW),
            Shape::SlowLeader => network.slow(leader, SLOW),
        };
        hurt.unwrap_or_else(|why| panic!("{why}"));
        if matches!(shape, Shape::LeaderAlone) {
            steps_down(&mut ring.group, leader);
        }
        ring.progress();
        ring.group.network().heal().unwrap_or_else(|why| panic!("{why}"));
        ring.group.wait_all().unwrap_or_else(|why| panic!("{why}"));
        ring.progress();
    }
    // A client whose server is cut off for longer than its time-out moves on; none waits that long here.
    ring.finish(0);
}

/// Waits until another member leads.
fn steps_down(group: &mut Group, old: u64) {
    let deadline = Instant::now() + super::SETTLE;
    loop {
        let leads = |m: &&crate::harness::member::Member| m.id != old && m.mode() == Some(Mode::Leader);
        if group.members.iter().any(|m| leads(&m)) {
            return;
        }
        assert!(Instant::now() < deadline, "nobody else leads:\n{}", group.logs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

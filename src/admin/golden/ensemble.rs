//! Answers of the members of an ensemble, and of a server cut off from it.

use super::*;

/// Member `id` of the recorded ensemble.
fn member(id: u16, mode: Mode, size: u64, membership: bool) -> Fixture {
    let mut server = empty();
    let members = "server.1=127.0.0.1:2881:3881:participant;127.0.0.1:2181\n\
                   server.2=127.0.0.1:2882:3882:participant;127.0.0.1:2182\n\
                   server.3=127.0.0.1:2883:3883:observer;127.0.0.1:2183\nversion=0";
    let conf = &mut server.conf;
    conf.client_port = 2180 + i32::from(id);
    conf.server_id = i64::from(id);
    conf.sizes = DirSizes { data: size, log: size };
    conf.quorum = Some(QuorumConf {
        init_limit: 10,
        sync_limit: 5,
        election_alg: 3,
        election_ports: vec![3880 + id],
        quorum_ports: vec![2880 + id],
        participant: mode != Mode::Observer,
        membership: membership.then(|| members.to_owned()),
    });
    let status = &mut server.status;
    (status.mode, status.zxid, status.node_count) = (mode, Zxid(0x1_0000_0002), 6);
    server.monitor.mode = mode;
    for namespace in ["e", "zookeeper"] {
        server.metrics.write_per_namespace.record(namespace, 6);
    }
    server
}

#[test]
fn members_of_an_ensemble_answer_as_zookeeper() {
    let mut leader = member(2, Mode::Leader, 67_109_543, true);
    let status = &mut leader.status;
    (status.min_latency, status.avg_latency, status.max_latency) = (2, 2.0, 2);
    (status.received, status.sent, status.connections) = (5, 4, 2);
    status.proposal_sizes = Some(crate::metrics::BufferSizes { last: 90, min: 48, max: 90 });
    assert_eq!(text(Word::Srvr, &leader), golden!("leader-srvr"));
    assert_eq!(text(Word::Conf, &leader), golden!("leader-conf"));
    let mut observer = member(3, Mode::Observer, 67_110_204, true);
    let status = &mut observer.status;
    (status.min_latency, status.avg_latency, status.max_latency) = (3, 3.0, 3);
    (status.received, status.sent, status.connections) = (4, 3, 2);
    assert_eq!(text(Word::Srvr, &observer), golden!("observer-srvr"));
    assert_eq!(text(Word::Conf, &observer), golden!("observer-conf"));
    assert_eq!(text(Word::Isro, &observer), "rw");
}

#[test]
fn a_read_only_server_answers_as_zookeeper() {
    let mut server = member(1, Mode::ReadOnly, 67_109_543, false);
    (server.status.received, server.status.sent) = (2, 1);
    assert_eq!(text(Word::Srvr, &server), golden!("readonly-srvr"));
    assert_eq!(text(Word::Conf, &server), golden!("readonly-conf"));
    assert_eq!(text(Word::Isro, &server), "ro");
    assert_eq!(shapes(&text(Word::Mntr, &server)), shapes(&golden!("readonly-mntr")));
}

#[test]
fn members_of_an_ensemble_have_zookeepers_metrics() {
    let state = |s: &str| Some(s.to_owned());
    let mut leader = member(2, Mode::Leader, 0, true);
    leader.monitor.peer_state = state("leading - broadcast");
    leader.gauges = Gauges {
        quorum_size: Some(2),
        synced_observers: Some(1),
        learners: Some(2),
        synced_followers: Some(1),
        synced_non_voting_followers: Some(0),
        pending_syncs: Some(0),
        leader_uptime: Some(1104),
        last_proposal_size: Some(90),
        max_proposal_size: Some(90),
        min_proposal_size: Some(48),
        ..leader.gauges
    };
    for id in ["1", "3"] {
        leader.metrics.learner_handler_qp_size.record(id, 1);
        leader.metrics.learner_handler_qp_time_ms.record(id, 3);
    }
    assert_eq!(shapes(&text(Word::Mntr, &leader)), shapes(&golden!("leader-mntr")));

    let mut follower = member(1, Mode::Follower, 0, true);
    follower.monitor.peer_state = state("following - broadcast");
    follower.gauges.quorum_size = Some(2);
    assert_eq!(shapes(&text(Word::Mntr, &follower)), shapes(&golden!("follower-mntr")));

    let mut observer = member(3, Mode::Observer, 0, true);
    observer.monitor.peer_state = state("observing - broadcast");
    observer.monitor.observer_master_id = Some(2);
    observer.gauges.quorum_size = Some(2);
    let (ours, javas) = (text(Word::Mntr, &observer), golden!("observer-mntr"));
    assert_eq!(shapes(&ours), shapes(&javas));
    let head = |text: &str| text.lines().take(4).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(head(&ours), head(&javas));
}

#[test]
fn leader_and_follower_dump_sessions_as_zookeeper() {
    let mut leader = empty();
    let (local, global) = (SessionId(0x0200_0021_4de4_0000), SessionId(0x0100_0021_4ddd_0000));
    let (expires, closes, leaves) = (1_795_163_776_000, 1_795_163_762_000, 1_795_163_782_000);
    let peer = |port| SocketAddr::from(([127, 0, 0, 1], port));
    leader.sessions = SessionsStatus::Tracker {
        local: Some(ExpirySets::group([(expires, local)])),
        global: ExpirySets::group([(expires, global)]),
    };
    leader.ephemerals = vec![(global, vec!["/e"])];
    leader.expiry =
        ExpirySets::group([(closes, (peer(39880), SessionId::NONE)), (leaves, (peer(39826), local))]);
    assert_eq!(text(Word::Dump, &leader), golden!("leader-dump"));

    let mut follower = Fixture { expiry: ExpirySets::default(), ..leader };
    follower.sessions = SessionsStatus::Learner {
        local: Some(ExpirySets { buckets: vec![(expires, vec![])] }),
        global: vec![(global, 30000)],
    };
    follower.expiry =
        ExpirySets::group([(closes, (peer(53058), SessionId::NONE)), (leaves, (peer(53008), global))]);
    assert_eq!(text(Word::Dump, &follower), golden!("follower-dump"));

    let sessions = SessionsStatus::Learner { local: None, global: vec![(TWO, 4000), (ONE, 30000)] };
    let answer = text(Word::Dump, &Fixture { sessions, ..follower });
    let sorted = "Global Sessions(2):\n0x100000db5400000\t30000ms\n0x100000db5400001\t4000ms\n";
    assert!(answer.contains(sorted), "{answer}");
}

//! Three members that have worked: every metric is there, and what happened is counted where it happened.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use super::{PROVIDER, families, get, missing, value};
use crate::harness::{Group, Plan};
use crate::support::process::Process;
use crate::support::{Kind, ox, ports};

/// Three members, each with a metrics port.
pub struct Scraped {
    /// The members.
    pub group: Group,
    /// Their metrics ports, by number.
    pub ports: BTreeMap<u64, u16>,
}

impl Scraped {
    /// Starts them.
    pub fn start() -> Scraped {
        let mut group = Group::new(&Plan::of(&[Kind::Oxkeeper; 3])).expect("three members");
        let ids = group.ids();
        let ports: BTreeMap<u64, u16> = ids.iter().map(|id| (*id, ports::lasting())).collect();
        for (id, port) in &ports {
            group.lines = [
                PROVIDER.to_owned(),
                "metricsProvider.httpHost=127.0.0.1".to_owned(),
                format!("metricsProvider.httpPort={port}"),
                "metricsProvider.jvmAliases=true".to_owned(),
                "leader.ackLoggingFrequency=1".to_owned(),
            ]
            .to_vec();
            group.launch(*id).expect("launched");
        }
        group.wait_all().unwrap_or_else(|why| panic!("{why}"));
        Scraped { group, ports }
    }

    /// The exposition of a member.
    pub fn of(&self, id: u64) -> String {
        get(self.ports[&id], "/metrics").unwrap_or_else(|why| panic!("{why}"))
    }

    /// Writes and reads through every member, and closes the session.
    pub fn work(&mut self) {
        for address in self.group.addresses() {
            let script = "create /m-{n} x\nset /m-{n} y\nget /m-{n}\nls /\nsync /\ndelete /m-{n}\nquit\n";
            let script = script.replace("{n}", address.rsplit(':').next().unwrap_or("0"));
            let input = self.group.member(1).home().join("script");
            std::fs::write(&input, script).expect("written");
            let mut shell = ox::command(&["shell", "-server", &address]);
            shell.stdin(File::open(&input).expect("written"));
            let log = self.group.member(1).home().join("shell");
            let mut shell = Process::start_with_input(shell, &log).expect("the shell runs");
            shell.wait(Duration::from_secs(30));
            let said = shell.log();
            assert!(said.contains("Created /m-") && said.contains("Sync is OK"), "{said}");
        }
    }
}

/// Counts that must be above zero on a leader that has worked, and on a follower.
const OF_LEADER: &[&str] = &[
    "commit_count",
    "proposal_count",
    "diff_count",
    "outstanding_changes_queued",
    "outstanding_changes_removed",
    "request_commit_queued",
    "quorum_ack_latency_count",
    "propagation_latency_count",
    "proposal_ack_creation_latency_count",
    "ack_latency_count{key=\"{me}\"}",
    "learner_handler_qp_size_count{key=\"{other}\"}",
    "inflight_diff_count_count",
    "election_time_count",
    "leader_unavailable_time_count",
    "unavailable_time_count",
    "looking_count",
    "prep_process_time_count",
    "prep_processor_queue_size_count",
    "prep_processor_queue_time_ms_count",
    "proposal_process_time_count",
    "close_session_prep_time_count",
    "commit_process_time_count",
    "write_batch_time_in_commit_processor_count",
    "write_final_proc_time_ms_count",
    "write_commitproc_time_ms_count",
    "write_commit_proc_issued_count",
    "write_commit_proc_req_queued_count",
    "read_commit_proc_req_queued_count",
    "commit_commit_proc_req_queued_count",
    "local_write_committed_time_ms_count",
    "server_write_committed_time_ms_count",
    "sync_process_time_count",
    "sync_processor_queue_size_count",
    "sync_processor_queue_time_ms_count",
    "sync_processor_queue_and_flush_time_ms_count",
    "sync_processor_batch_size_count",
    "fsynctime_count",
    "dbinittime_count",
    "startup_snap_load_time_count",
    "startup_txns_load_time_count",
    "session_queues_drained_count",
    "reads_issued_from_session_queue_count",
    "oxkeeper_stage_seconds_count{stage=\"queue\"}",
    "oxkeeper_stage_seconds_count{stage=\"admit\"}",
    "oxkeeper_stage_seconds_count{stage=\"fsync\"}",
    "oxkeeper_stage_seconds_count{stage=\"quorum\"}",
    "oxkeeper_stage_seconds_count{stage=\"apply\"}",
    "oxkeeper_stage_seconds_count{stage=\"reply\"}",
];
const OF_FOLLOWER: &[&str] = &[
    "learner_proposal_received_count",
    "learner_commit_received_count",
    "proposal_latency_count",
    "proposal_ack_creation_latency_count",
    "commit_propagation_latency_count",
    "propagation_latency_count",
    "follower_sync_time_count",
    "learner_request_processor_queue_size_count",
    "pending_session_queue_size_count",
    "requests_in_session_queue_count",
    "reads_after_write_in_session_queue_count",
    "local_write_committed_time_ms_count",
    "server_write_committed_time_ms_count",
    "write_commitproc_time_ms_count",
];

#[test]
fn what_happened_to_three_members_is_counted_and_nothing_is_missing() {
    let mut scraped = Scraped::start();
    scraped.work();
    let leader = scraped.group.leader(crate::harness::group::SETTLE).unwrap_or_else(|why| panic!("{why}"));
    let other = scraped.group.follower().unwrap_or_else(|why| panic!("{why}"));
    let texts = [scraped.of(leader), scraped.of(other)];
    let silent = |text: &str, names: &[&str]| -> Vec<String> {
        let named = names
            .iter()
            .map(|n| n.replace("{me}", &leader.to_string()).replace("{other}", &other.to_string()));
        named.filter(|name| value(text, name).is_none_or(|count| count <= 0.0)).collect()
    };
    assert_eq!(silent(&texts[0], OF_LEADER), Vec::<String>::new(), "never recorded by the leader");
    assert_eq!(silent(&texts[1], OF_FOLLOWER), Vec::<String>::new(), "never recorded by a follower");
    let mut all = families(&texts[0]);
    all.extend(families(&texts[1]));
    // These appear with the first quota, and the first refusal by one.
    let lacking = missing(&all);
    let lacking: Vec<_> = lacking.iter().filter(|name| !name.starts_with("quota_")).collect();
    assert_eq!(lacking, Vec::<&&str>::new(), "metrics of ZooKeeper 3.9.5 that no member has");
    same_figures(&mut scraped, leader);
}

/// What mntr prints of a figure that stands still is what a scrape gets.
fn same_figures(scraped: &mut Scraped, id: u64) {
    let words = scraped.group.member(id).ask("mntr").expect("mntr");
    let text = scraped.of(id);
    let mut compared = 0;
    for line in words.lines().filter_map(|line| line.strip_prefix("zk_")) {
        let Some((key, said)) = line.split_once('\t') else { continue };
        let moves =
            ["packets", "uptime", "latency", "connections", "request", "response", "descriptor", "process_"]
                .iter()
                .chain(&["queue", "pause", "bytes_received", "proc", "ack", "prep", "sync", "read"])
                .any(|word| key.contains(word));
        let (Some(scraped), Ok(said)) = (value(&text, key), said.parse::<f64>()) else { continue };
        if !moves && !said.is_nan() {
            assert_eq!(scraped, said, "{key}");
            compared += 1;
        }
    }
    assert!(compared > 60, "only {compared} figures stood still");
}

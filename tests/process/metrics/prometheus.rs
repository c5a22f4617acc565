//! promtool and a real Prometheus: the rules hold what they say, and none asks for what nobody tells.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::get;
use super::scraped::Scraped;
use crate::need;
use crate::support::dirs::Dir;
use crate::support::process::Process;
use crate::support::{cache, ports};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/prometheus")
}

fn promtool(args: &[&str], input: Option<&Path>) -> Result<(), String> {
    let tool = cache::prometheus("promtool")?;
    let mut command = Command::new(tool);
    command.args(args).current_dir(folder());
    if let Some(input) = input {
        command.stdin(std::fs::File::open(input).map_err(|e| e.to_string())?);
    }
    let done = command.output().map_err(|e| e.to_string())?;
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "promtool {args:?}:\n{}", String::from_utf8_lossy(&said));
    Ok(())
}

#[test]
fn the_alert_rules_load_and_fire_when_they_should() {
    need!("alert rules (promtool)", promtool(&["check", "rules", "rules.yml"], None));
    promtool(&["test", "rules", "tests.yml"], None).expect("promtool is there");
}

#[test]
fn a_real_prometheus_scrapes_three_members_and_no_rule_is_without_data() {
    let prometheus = need!("scrapes by Prometheus", cache::prometheus("prometheus"));
    let mut scraped = Scraped::start();
    scraped.work();
    let home = Dir::new("prometheus");
    let ids: Vec<u64> = scraped.ports.keys().copied().collect();
    for id in &ids {
        let page = home.write(&format!("page{id}"), &scraped.of(*id));
        // Names are ZooKeeper's, whose counters have no suffix: what its lint says of names is not ours to change.
        let tool = cache::prometheus("promtool").expect("beside prometheus");
        let page = std::fs::File::open(page).expect("written");
        let lint = Command::new(tool).args(["check", "metrics"]).stdin(page).output().expect("it runs");
        let said = String::from_utf8_lossy(&lint.stderr).into_owned();
        assert!(!said.contains("error while linting"), "{said}");
        let ours: Vec<&str> = said.lines().filter(|line| is_ours_to_mend(line)).collect();
        assert_eq!(ours, Vec::<&str>::new(), "promtool check metrics");
    }
    let targets: Vec<String> = scraped.ports.values().map(|port| format!("'127.0.0.1:{port}'")).collect();
    let config = home.write(
        "prometheus.yml",
        &format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n\
             - {{job_name: zk, static_configs: [{{targets: [{}]}}]}}\n",
            folder().join("rules.yml").display(),
            targets.join(", ")
        ),
    );
    let port = ports::free();
    let mut command = Command::new(prometheus);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", home.path().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let process = Process::start(command, &home.path().join("log")).expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(90);
    // Two scrapes of each: rates need them.
    while number(port, "sum(min_over_time(up[1h]) * (count_over_time(up[1h]) > bool 2))") != Some(3.0) {
        assert!(Instant::now() < deadline, "three members are not scraped:\n{}", process.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    let rules = query(port, "/api/v1/rules").expect("rules");
    let groups = rules["data"]["groups"].as_array().cloned().unwrap_or_default();
    assert_eq!(groups.len(), 3, "{rules}");
    for rule in groups.iter().flat_map(|g| g["rules"].as_array().cloned().unwrap_or_default()) {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    let documented = groups.iter().find(|g| g["name"] == "zookeeper").expect("ZooKeeper's own rules");
    let documented = documented["rules"].as_array().expect("rules");
    assert_eq!(documented.len(), 11);
    for rule in documented {
        for metric in metrics_of(rule["query"].as_str().unwrap_or_default()) {
            let have = number(port, &format!("count({metric})"));
            assert!(have >= Some(3.0), "{}: {metric} has {have:?} series", rule["name"]);
        }
    }
}

/// Names of ours, lint that is no matter of ZooKeeper's naming.
fn is_ours_to_mend(line: &str) -> bool {
    line.starts_with("oxkeeper_") && !line.contains("_total") && !line.contains("non-counter")
}

/// The metrics that an expression names.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !word(c)).filter(|w| w.contains('_') || *w == "up");
    words.map(str::to_owned).collect()
}

fn query(port: u16, target: &str) -> Option<Value> {
    serde_json::from_str(&get(port, target).ok()?).ok()
}

/// The one value of an expression.
fn number(port: u16, expression: &str) -> Option<f64> {
    let escaped: String = expression.bytes().map(|b| format!("%{b:02x}")).collect();
    let answer = query(port, &format!("/api/v1/query?query={escaped}"))?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

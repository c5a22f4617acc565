//! Two servers side by side, and what differs between them.

use super::coverage::Seen;
use super::differences::{Intended, explain};
use super::make::Profile;
use super::pilot::{Pilot, Trace};
use super::script::Script;
use super::support::{Kind, Server, Spec};
use std::collections::BTreeMap;

/// `super:oracle`, as `superDigest` names it.
fn super_digest() -> String {
    super::values::digest("super:oracle")
}

/// What the servers of a profile are started with.
pub fn spec(profile: Profile) -> Spec {
    let spec = Spec::new()
        .cfg("tickTime=200")
        .cfg("minSessionTimeout=200")
        .cfg("maxSessionTimeout=600000")
        .flag("-Dznode.container.checkIntervalMs=3600000")
        .flag("-Dzookeeper.forceSync=no")
        .flag(&format!("-Dzookeeper.DigestAuthenticationProvider.superDigest={}", super_digest()));
    match profile {
        Profile::Full => spec.flag("-Dzookeeper.extendedTypesEnabled=true"),
        Profile::Quota => {
            spec.flag("-Dzookeeper.extendedTypesEnabled=true").flag("-Dzookeeper.enforceQuota=true")
        }
        Profile::Open => spec.cfg("reconfigEnabled=true").flag("-Dzookeeper.skipACL=yes"),
        Profile::Enforced => {
            spec.flag("-Dzookeeper.enforce.auth.enabled=true").flag("-Dzookeeper.enforce.auth.schemes=digest")
        }
    }
}

/// A pair of lines that differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Step of the script.
    pub step: usize,
    /// The reference's line, empty if it has none.
    pub java: String,
    /// The other's line.
    pub ours: String,
    /// The intended difference that explains it.
    pub intended: Option<&'static str>,
}

/// Two servers and their pilots.
pub struct Rig {
    /// The reference and the server under test.
    pub servers: [Server; 2],
    pilots: [Pilot; 2],
    profile: Profile,
    /// Replies of the reference, counted.
    pub seen: Seen,
    /// How often each intended difference showed.
    pub intended: BTreeMap<&'static str, usize>,
}

impl Rig {
    /// Starts the reference and `other`.
    pub fn start(profile: Profile, other: Kind) -> Result<Rig, String> {
        Rig::with(profile, other, &spec(profile))
    }

    /// Starts the reference as the profile says and `other` as `spec` says.
    pub fn with(profile: Profile, other: Kind, ours: &Spec) -> Result<Rig, String> {
        let java = Server::start(Kind::Java395, &spec(profile))?;
        let ours = Server::start(other, ours)?;
        let pilots = [Pilot::new(java.port())?, Pilot::new(ours.port())?];
        Ok(Rig { servers: [java, ours], pilots, profile, seen: Seen::default(), intended: BTreeMap::new() })
    }

    /// Runs a script on both; whatever differs, explained or not.
    pub fn run(&mut self, script: &Script) -> Result<Vec<Difference>, String> {
        let [java, ours] = &mut self.pilots;
        let (a, b) = std::thread::scope(|scope| {
            let other = scope.spawn(|| ours.fly(script));
            let a = java.fly(script);
            (a, other.join().map_err(|_| "the pilot of the second server panicked".to_owned()))
        });
        let (a, b) = (a.map_err(|e| format!("reference: {e}"))?, b?.map_err(|e| format!("under test: {e}"))?);
        self.seen.add(&std::mem::take(&mut self.pilots[0].seen));
        let found = compare(script, &a, &b);
        for name in found.iter().filter_map(|d| d.intended) {
            *self.intended.entry(name).or_default() += 1;
        }
        Ok(found)
    }

    /// After a difference: servers whose trees were brought apart by it are replaced by fresh ones,
    /// so that the next run shows its own differences only.
    pub fn rejoin(&mut self) -> Result<(), String> {
        let nothing = Script { seed: 0, steps: Vec::new(), finale: None };
        if self.run(&nothing).is_ok_and(|found| found.is_empty()) {
            return Ok(());
        }
        let fresh = Rig::start(self.profile, self.servers[1].kind())?;
        self.servers = fresh.servers;
        self.pilots = fresh.pilots;
        Ok(())
    }
}

/// Lines of both traces step by step.
fn compare(script: &Script, a: &Trace, b: &Trace) -> Vec<Difference> {
    let mut found = Vec::new();
    let last = script.steps.len() + 2;
    for step in 0..=last {
        let of = |t: &Trace| -> Vec<(Option<usize>, String)> {
            t.lines.iter().filter(|l| l.0 == step).map(|l| (l.1, l.2.clone())).collect()
        };
        let (x, y) = (of(a), of(b));
        if x == y {
            continue;
        }
        let longest = x.len().max(y.len());
        for at in 0..longest {
            let (p, q) = (x.get(at), y.get(at));
            if p == q {
                continue;
            }
            let frame = p.and_then(|l| l.0).or_else(|| q.and_then(|l| l.0));
            let line = |l: Option<&(Option<usize>, String)>| l.map(|l| l.1.clone()).unwrap_or_default();
            let (java, ours) = (line(p), line(q));
            let intended: Option<&'static Intended> = explain(script, step, frame, &java, &ours);
            found.push(Difference { step, java, ours, intended: intended.map(|i| i.name) });
        }
    }
    found
}

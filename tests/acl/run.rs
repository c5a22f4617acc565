//! One history: a server and the model are asked the same, and every answer and event is compared.
//!
//! # Invariants
//! * A history is its seed: what is asked does not depend on what is answered.

use super::ask::{Ask, Make, Said, Told};
use super::make::{Maker, Proof, SUPER, digest, ops};
use super::model::{Model, Rules};
use oxkeeper::types::{Acl, Id};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Sessions of a history; the first is the super user's.
pub const SESSIONS: usize = 6;

/// A server under comparison.
pub trait Target {
    /// A new session from this address.
    fn open(&mut self, who: usize, from: IpAddr);
    /// Can it be proven here?
    fn can(&self, proof: &Proof) -> bool;
    /// The session ends.
    fn close(&mut self, who: usize);
    /// The session proves something.
    fn prove(&mut self, who: usize, proof: &Proof);
    /// A request's reply, and what everybody was told up to it.
    fn ask(&mut self, who: usize, ask: &Ask) -> (Said, Vec<(usize, Told)>);
    /// What everybody was told since.
    fn events(&mut self) -> Vec<(usize, Told)>;
}

/// How a history is made.
pub struct Plan {
    pub seed: u64,
    pub rules: Rules,
    pub steps: usize,
    /// Addresses that sessions come from.
    pub from: &'static [&'static str],
    /// Certificates and IPv6 take part.
    pub everything: bool,
}

/// What was seen.
#[derive(Default)]
pub struct Seen {
    pub decided: u64,
    pub requests: u64,
    /// Requests that were refused for want of a right.
    pub denied: u64,
    pub told: u64,
    pub ops: BTreeSet<i32>,
}

impl Seen {
    pub fn add(&mut self, other: Seen) {
        self.decided += other.decided;
        self.requests += other.requests;
        self.denied += other.denied;
        self.told += other.told;
        self.ops.extend(other.ops);
    }
}

/// Runs a history; the first difference ends it.
pub fn history(plan: &Plan, target: &mut dyn Target) -> Result<Seen, String> {
    let mut run = Run {
        make: Maker::new(plan.seed, plan.everything),
        model: Model::new(plan.rules.clone(), SESSIONS),
        seen: Seen::default(),
        plan,
    };
    for who in 0..SESSIONS {
        run.session(who, target)?;
    }
    let top = Ask::Create { make: Make::Plain(false), path: "/t".into(), acl: vec![Acl::open()] };
    run.compare(0, &top, target)?;
    for room in 0..6 {
        let acl = vec![Acl::open()];
        let room = Ask::Create { make: Make::Plain(false), path: format!("/t/{room}"), acl };
        run.compare(0, &room, target)?;
    }
    for _ in 0..plan.steps {
        let who = run.make.below(SESSIONS);
        match run.make.below(100) {
            0 => {
                run.end(who, target)?;
                run.session(who, target)?;
            }
            1..=12 => {
                let ask = run.make.tend();
                run.compare(0, &ask, target)?;
            }
            _ => {
                let ask = run.make.ask();
                run.compare(who, &ask, target)?;
            }
        }
    }
    for who in 0..SESSIONS {
        run.end(who, target)?;
    }
    run.seen.decided = run.model.decided;
    Ok(run.seen)
}

struct Run<'a> {
    plan: &'a Plan,
    make: Maker,
    model: Model,
    seen: Seen,
}

impl Run<'_> {
    /// A session begins and proves what it will be.
    fn session(&mut self, who: usize, target: &mut dyn Target) -> Result<(), String> {
        let from: IpAddr = self.plan.from[self.make.below(self.plan.from.len())].parse().expect("an address");
        target.open(who, from);
        let spelled = match from {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => v6.segments().map(|s| format!("{s:x}")).join(":"),
        };
        self.model.prove(who, Id::new("ip", spelled));
        let mut proofs = self.make.proofs(self.plan.everything);
        if who == 0 {
            proofs = vec![Proof::Digest(SUPER.to_owned())];
            self.model.prove(who, Id::new("super", ""));
        }
        proofs.retain(|proof| target.can(proof));
        if !self.plan.everything {
            // One connection logs in once.
            let mut logins = 0;
            proofs.retain(|proof| {
                logins += usize::from(matches!(proof, Proof::Sasl(_)));
                !matches!(proof, Proof::Sasl(_)) || logins == 1
            });
        }
        for proof in &proofs {
            let id = match proof {
                Proof::Digest(user) => Id::new("digest", digest(user)),
                Proof::Sasl(id) if self.plan.rules.sasl => Id::new("sasl", *id),
                Proof::X509(name) if self.plan.rules.x509 => Id::new("x509", *name),
                _ => continue,
            };
            target.prove(who, proof);
            self.model.prove(who, id);
        }
        Ok(())
    }

    fn end(&mut self, who: usize, target: &mut dyn Target) -> Result<(), String> {
        target.close(who);
        self.model.close(who);
        let (mut model, mut server) = (self.model.take_told(), target.events());
        model.retain(|(to, _)| *to != who);
        server.retain(|(to, _)| *to != who);
        // The order in which ephemerals go is the server's.
        model.sort();
        server.sort();
        same("told at the end of a session", &server, &model)
    }

    fn compare(&mut self, who: usize, ask: &Ask, target: &mut dyn Target) -> Result<(), String> {
        let wanted = self.model.ask(who, ask);
        let (found, mut server) = target.ask(who, ask);
        let mut model = self.model.take_told();
        // Among sessions there is no order; within one there is.
        model.sort_by_key(|(to, _)| *to);
        server.sort_by_key(|(to, _)| *to);
        self.seen.requests += 1;
        self.seen.told += model.len() as u64;
        self.seen.denied += u64::from(wanted.err == -102 || wanted.parts.contains(&-102));
        ops(ask, &mut self.seen.ops);
        let context = || format!("{ask:?} of session {who}, which is {:?}", self.model.held[who]);
        same(&context(), &found, &wanted)
            .and_then(|()| same(&format!("told by {}", context()), &server, &model))
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, server: &T, model: &T) -> Result<(), String> {
    if server == model { Ok(()) } else { Err(format!("{what}\n  server: {server:?}\n  model:  {model:?}")) }
}

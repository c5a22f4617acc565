//! Who learns from this leader, for the admin server: address, packets, how far.
//!
//! # Invariants
//!
//! * The core notes, and tells the face a few times a second; what is told may be that old.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::face::{Face, LearnerNow};
use crate::limits::LEARNERS_TOLD_MS;
use crate::os::clock;
use crate::replica::member::{Member, MemberInput};
use crate::types::{Instant, LinkId};

/// What is known of a connection.
#[derive(Debug)]
struct Link {
    address: Option<SocketAddr>,
    since_ms: i64,
    received: u64,
    sent: u64,
}

/// The connections that learners made.
#[derive(Debug, Default)]
pub struct Learners {
    links: BTreeMap<LinkId, Link>,
    told: Option<Instant>,
}

impl Learners {
    /// Something is about to reach the member.
    pub fn note(&mut self, input: &MemberInput) {
        match input {
            MemberInput::LinkAccepted { link, from } => {
                // Behind the address may stand as whom it logged in.
                let address = from.split(' ').next().and_then(|address| address.parse().ok());
                let link_now = Link { address, since_ms: clock::wall_ms(), received: 0, sent: 0 };
                self.links.insert(*link, link_now);
            }
            MemberInput::LinkDown { link, .. } => drop(self.links.remove(link)),
            _ => {}
        }
    }

    /// Packets came.
    pub fn received(&mut self, link: LinkId, packets: usize) {
        if let Some(link) = self.links.get_mut(&link) {
            link.received += packets as u64;
        }
    }

    /// A packet is sent.
    pub fn sent(&mut self, link: LinkId) {
        if let Some(link) = self.links.get_mut(&link) {
            link.sent += 1;
        }
    }

    /// Tells the face, unless it was told a moment ago.
    pub fn tell(&mut self, member: &Member, face: &Face) {
        let now = clock::mono();
        if self.told.is_some_and(|told| now.since(told) < Duration::from_millis(LEARNERS_TOLD_MS)) {
            return;
        }
        self.told = Some(now);
        let learners = member.learners().into_iter().map(|(link, server, observer, acked)| {
            let known = self.links.get(&link);
            LearnerNow {
                server,
                observer,
                acked,
                address: known.and_then(|link| link.address),
                since_ms: known.map_or(0, |link| link.since_ms),
                received: known.map_or(0, |link| link.received),
                sent: known.map_or(0, |link| link.sent),
            }
        });
        face.learners_are(learners.collect());
    }
}

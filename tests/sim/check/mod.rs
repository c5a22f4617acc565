//! The checkers: one file for each invariant of the reliability design, all always on.
//!
//! # Invariants
//!
//! * A checker sees what crossed a face (disk, link, client) and what the observer wrote down;
//!   it asks no member what it thinks of itself.
//! * A violation is an error whose text begins with the invariant's number.

mod i01;
mod i02;
mod i03;
mod i04;
mod i05;
mod i06;
mod i07;
mod i08;
mod i09;
mod i10;
mod i11;
mod i12;
mod i13;
mod i14;
mod i15;

use crate::book::Book;
use crate::clients::{Client, Sent};
use crate::heap::Time;
use crate::history::History;
use crate::net::Who;
use oxkeeper::disk::mem::MemDisk;
use oxkeeper::peer::{Notification, Packet};
use oxkeeper::proto::ReplyHeader;
use oxkeeper::replica::Recovered;
use oxkeeper::replica::member::RoleChange;
use oxkeeper::tree::Tree;
use std::collections::BTreeSet;

/// Something that a checker may want to see.
pub enum Seen<'a> {
    /// A member handed a transaction to its log (the page has it already).
    Appended {
        /// Who.
        who: Who,
        /// What its log ended with before.
        before: i64,
        /// Its zxid.
        zxid: i64,
    },
    /// A disk reported an epoch durable (the page still has the old one).
    Epoch {
        /// Who.
        who: Who,
        /// `acceptedEpoch`, otherwise `currentEpoch`.
        accepted: bool,
        /// The epoch.
        epoch: u32,
    },
    /// A notification leaves.
    Voted {
        /// Who.
        who: Who,
        /// What it says.
        note: &'a Notification,
    },
    /// A packet leaves.
    Sent {
        /// Who.
        who: Who,
        /// The packet.
        packet: &'a Packet,
        /// The disk, to be looked at now and then.
        disk: &'a MemDisk,
    },
    /// A packet arrives and is about to be handled.
    Arrived {
        /// At whom.
        who: Who,
        /// The packet.
        packet: &'a Packet,
    },
    /// A role changed (the page still has the old one).
    Role {
        /// Who.
        who: Who,
        /// To what.
        change: &'a RoleChange,
    },
    /// A serving member's tree went on to here (the history still ends where it did).
    Delivering {
        /// Who.
        who: Who,
        /// Up to here.
        upto: i64,
    },
    /// The history contains what a serving member has applied.
    Delivered {
        /// Who.
        who: Who,
        /// Its tree.
        tree: &'a Tree,
    },
    /// A process is about to start from this.
    Recovered {
        /// Who.
        who: Who,
        /// The last zxid that recovery found, -1 for a disk that is not to be trusted.
        last: i64,
        /// What its disk must hold at least.
        least: i64,
        /// Does it say itself that there may have been more?
        doubtful: bool,
        /// Tree and sessions.
        found: &'a Recovered,
        /// Digests that recovery found to differ.
        differences: usize,
    },
    /// A client's frame was handled by a member.
    Heard {
        /// The member.
        who: Who,
        /// Whose session.
        session: i64,
    },
    /// A client asked for its session and was answered.
    Connected {
        /// The client, as it was before the answer.
        client: &'a Client,
        /// The member.
        who: Who,
        /// The answer's session, 0 for a refusal.
        session: i64,
        /// What the member's tree ended with then.
        last: i64,
    },
    /// A client got an answer.
    Replied {
        /// The client, as it was before.
        client: &'a Client,
        /// What it had asked.
        sent: &'a Sent,
        /// Header.
        header: &'a ReplyHeader,
        /// Body.
        body: &'a [u8],
        /// Who answered.
        who: Who,
    },
    /// A client was told of a change.
    Event {
        /// The client, as it was before.
        client: &'a Client,
        /// Zxid of the notification, -1 from a server that catches up.
        zxid: i64,
        /// Kind of event.
        kind: i32,
        /// The node.
        path: &'a str,
    },
    /// Some time went by.
    Tick,
    /// All is healed, and not everything has come back in time.
    Stuck {
        /// What not.
        what: &'a str,
    },
}

/// What checkers look at.
pub struct View<'a> {
    /// Members.
    pub book: &'a Book,
    /// What was delivered.
    pub history: &'a History,
    /// Virtual time.
    pub now: Time,
    /// tickTime.
    pub tick: Time,
    /// Images that may be recovered at this instant: decided by the seed, for their price.
    pub image: Option<&'a Recover<'a>>,
}

/// Recovers a copy of a disk: where its history ends.
pub type Recover<'a> = dyn Fn(&MemDisk) -> Result<i64, String> + 'a;

/// One invariant.
pub trait Check {
    /// Its number.
    fn number(&self) -> u8;
    /// Looks at something.
    fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String>;
}

/// All of them.
pub struct Checks {
    list: Vec<Box<dyn Check>>,
    /// The only one that is on, to prove that it alone finds something.
    only: Option<u8>,
    /// Those that are off.
    off: BTreeSet<u8>,
}

impl Checks {
    /// All on; `off` are left out, to prove that none of the others finds something.
    pub fn new(only: Option<u8>, off: BTreeSet<u8>) -> Checks {
        let list: Vec<Box<dyn Check>> = vec![
            Box::new(i01::OneHistory),
            Box::new(i02::AckedForEver),
            Box::new(i03::Epochs::default()),
            Box::new(i04::PersistFirst),
            Box::new(i05::EpochAfterHistory),
            Box::new(i06::NoHoles),
            Box::new(i07::ExactSync),
            Box::new(i08::RecoveryIsReplay),
            Box::new(i09::SameDigest),
            Box::new(i10::Sessions::default()),
            Box::new(i11::ClientOrder::default()),
            Box::new(i12::Linearizable),
            Box::new(i13::Watches),
            Box::new(i14::DiskFaults),
            Box::new(i15::ComesBack),
        ];
        Checks { list, only, off }
    }

    /// Shows something to every checker; the first violation.
    pub fn see(&mut self, view: &View<'_>, seen: &Seen<'_>) -> Result<(), String> {
        for check in &mut self.list {
            let number = check.number();
            if self.only.is_some_and(|n| n != number) || self.off.contains(&number) {
                continue;
            }
            check.see(view, seen).map_err(|what| format!("I{number}: {what}"))?;
        }
        Ok(())
    }
}

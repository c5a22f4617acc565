//! What a member wants, in order; packets to one link are joined.
//!
//! # Invariants
//!
//! * What goes to one link leaves in the order in which it was put in; a connection is closed
//!   behind everything that was put in for it before.

use super::io::{LinkItem, MemberOutput};
use crate::peer::Packet;
use crate::replica::DiskOp;
use crate::types::LinkId;
use std::collections::{BTreeMap, VecDeque};

/// Outputs that wait to be polled.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    ready: VecDeque<MemberOutput>,
    packets: BTreeMap<LinkId, Vec<u8>>,
}

impl Outbox {
    pub fn push(&mut self, output: MemberOutput) {
        self.ready.push_back(output);
    }

    pub fn disk(&mut self, op: DiskOp) {
        self.push(MemberOutput::Disk(op));
    }

    pub fn packet(&mut self, link: LinkId, packet: &Packet) {
        packet.encode(self.packets.entry(link).or_default());
    }

    /// Something that is no packet.
    pub fn item(&mut self, link: LinkId, item: LinkItem) {
        self.flush(link);
        self.push(MemberOutput::Send { link, item });
    }

    pub fn hang_up(&mut self, link: LinkId, why: String) {
        self.flush(link);
        self.packets.remove(&link);
        self.push(MemberOutput::Hangup { link, why });
    }

    /// The connection is gone: nothing more goes there.
    pub fn forget(&mut self, link: LinkId) {
        self.packets.remove(&link);
    }

    fn flush(&mut self, link: LinkId) {
        if let Some(bytes) = self.packets.get_mut(&link).filter(|b| !b.is_empty()) {
            let item = LinkItem::Bytes(std::mem::take(bytes).into());
            self.ready.push_back(MemberOutput::Send { link, item });
        }
    }

    pub fn pop(&mut self) -> Option<MemberOutput> {
        if self.ready.is_empty() {
            let filled = self.packets.iter_mut().filter(|(_, bytes)| !bytes.is_empty());
            for (link, bytes) in filled {
                let item = LinkItem::Bytes(std::mem::take(bytes).into());
                self.ready.push_back(MemberOutput::Send { link: *link, item });
            }
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PacketKind;
    use crate::types::Zxid;

    fn show(outbox: &mut Outbox) -> Vec<String> {
        let one = |output| match output {
            MemberOutput::Send { link, item: LinkItem::Bytes(b) } => format!("{link}: {} bytes", b.len()),
            MemberOutput::Send { link, .. } => format!("{link}: log"),
            MemberOutput::Hangup { link, .. } => format!("{link}: hangup"),
            _ => "disk".to_owned(),
        };
        std::iter::from_fn(|| outbox.pop()).map(one).collect()
    }

    #[test]
    fn packets_are_joined_and_order_is_kept() {
        let mut outbox = Outbox::default();
        let packet = Packet::bare(PacketKind::Commit, Zxid(1));
        let (a, b) = (LinkId(1), LinkId(2));
        outbox.packet(a, &packet);
        outbox.packet(b, &packet);
        outbox.packet(a, &packet);
        outbox.item(a, LinkItem::Log { after: Zxid(1), upto: Zxid(2) });
        outbox.packet(a, &packet);
        outbox.disk(DiskOp::Current(1));
        outbox.packet(b, &packet);
        outbox.hang_up(b, String::new());
        let expected = [
            "link 1: 40 bytes",
            "link 1: log",
            "disk",
            "link 2: 40 bytes",
            "link 2: hangup",
            "link 1: 20 bytes",
        ];
        assert_eq!(show(&mut outbox), expected);
    }
}

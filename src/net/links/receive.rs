//! The incoming direction of a link.
//!
//! # Invariants
//!
//! * Packets that the core has not handled are bounded in bytes: the link is not read meanwhile.
//! * A snapshot goes past the core, to its staging place, and only where one was asked for: from a leader.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::Shared;
use super::face::{Charge, LinkEvent};
use crate::limits::{LINK_INBOX_BYTES, LINK_PACKET_BYTES, LINK_PROGRESS_MS, LINK_READ_BYTES};
use crate::net::peering::ended;
use crate::peer::{BadPacket, Packet, PacketKind};
use crate::types::{LinkId, Zxid};

/// The receiving half of a connection.
pub type Half = Box<dyn AsyncRead + Send + Unpin>;

/// Why a link ended.
pub enum Ended {
    /// Its bytes are no member's.
    Bad(BadPacket),
    /// Otherwise.
    Other(String),
}

/// Reads one link.
pub struct Receiver {
    half: Half,
    inbox: BytesMut,
    room: Arc<Semaphore>,
    told: Instant,
    /// Do snapshots come this way?
    learns: bool,
}

impl Receiver {
    /// `inbox` holds what was read already; `learns`: the other end leads.
    pub fn new(half: Half, inbox: BytesMut, learns: bool) -> Receiver {
        let room = Arc::new(Semaphore::new(LINK_INBOX_BYTES));
        Receiver { half, inbox, room, told: Instant::now(), learns }
    }

    /// Reads until the link ends, and says why.
    pub async fn run(&mut self, shared: &Shared, link: LinkId) -> Ended {
        loop {
            match self.packets(shared, link).await {
                Ok(None) => {}
                Ok(Some(zxid)) => {
                    if let Err(why) = self.snapshot(shared, link, zxid).await {
                        return Ended::Other(why);
                    }
                    continue;
                }
                Err(bad) => return Ended::Bad(bad),
            }
            if let Err(why) = self.more().await {
                return Ended::Other(why);
            }
        }
    }

    async fn more(&mut self) -> Result<(), String> {
        if self.inbox.capacity() - self.inbox.len() < LINK_READ_BYTES / 4 {
            self.inbox.reserve(LINK_READ_BYTES);
        }
        match self.half.read_buf(&mut self.inbox).await {
            Ok(0) => Err(ended(&io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(e) => Err(ended(&e)),
        }
    }

    /// Hands on what is whole; the zxid of a snapshot that begins.
    async fn packets(&mut self, shared: &Shared, link: LinkId) -> Result<Option<Zxid>, BadPacket> {
        let mut packets = Vec::new();
        let (before, mut snapshot) = (self.inbox.len(), None);
        while let Some(packet) = Packet::decode(&mut self.inbox, LINK_PACKET_BYTES)? {
            let (kind, zxid) = (packet.kind, packet.zxid);
            packets.push(packet);
            if kind == PacketKind::Snap {
                if !self.learns {
                    return Err(BadPacket::Form("a snapshot from a learner"));
                }
                snapshot = Some(zxid);
                break;
            }
        }
        if !packets.is_empty() {
            let cost = (before - self.inbox.len()).clamp(1, LINK_INBOX_BYTES);
            let cost = u32::try_from(cost).unwrap_or(u32::MAX);
            // It is closed by nobody.
            let Ok(permit) = Arc::clone(&self.room).acquire_many_owned(cost).await else { return Ok(None) };
            shared.tell_of(link, LinkEvent::Packets { link, packets, charge: Charge::new(permit) });
        }
        Ok(snapshot)
    }

    async fn snapshot(&mut self, shared: &Shared, link: LinkId, zxid: Zxid) -> Result<(), String> {
        let mut staging = shared.store.receive(link, zxid);
        loop {
            let mut inbox = std::mem::take(&mut self.inbox);
            let fed = spawn_blocking(move || {
                let complete = staging.feed(&mut inbox);
                (staging, inbox, complete)
            });
            let complete;
            (staging, self.inbox, complete) = fed.await.map_err(|e| e.to_string())?;
            if complete? {
                shared.tell_of(link, LinkEvent::SnapshotReceived { link, zxid });
                return Ok(());
            }
            if self.told.elapsed() >= Duration::from_millis(LINK_PROGRESS_MS) {
                self.told = Instant::now();
                shared.tell_of(link, LinkEvent::Progress { link });
            }
            self.more().await?;
        }
    }
}

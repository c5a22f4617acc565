//! The outgoing direction of a link.
//!
//! # Invariants
//!
//! * Small packets leave together, in one write; large ones are not copied.
//! * A stream is made on a thread that may block, piece by piece, never ahead of what the other end takes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::Shared;
use super::face::{Chunks, LinkEvent};
use super::outbox::{Outbox, Taken};
use crate::limits::{LINK_COPY_BYTES, LINK_HANGUP_MS, LINK_PROGRESS_MS, LINK_WRITE_BYTES};
use crate::types::LinkId;

/// The sending half of a connection.
pub type Half = Box<dyn AsyncWrite + Send + Unpin>;

/// Sends until the link ends.
pub async fn run(shared: Arc<Shared>, link: LinkId, outbox: Arc<Outbox>, half: Half) {
    let mut sender = Sender { half, buffer: Vec::new(), told: Instant::now() };
    let why = loop {
        let outcome = match outbox.take(LINK_WRITE_BYTES).await {
            Taken::Bytes(packets) => sender.packets(&packets).await.map_err(|e| e.to_string()),
            Taken::Stream(chunks) => sender.stream(&shared, link, chunks).await,
            Taken::End => {
                let limit = Duration::from_millis(LINK_HANGUP_MS);
                // It is over either way.
                let _ = timeout(limit, sender.half.shutdown()).await;
                break "hung up".to_owned();
            }
        };
        if let Err(why) = outcome {
            break why;
        }
    };
    shared.over(link, why);
}

struct Sender {
    half: Half,
    buffer: Vec<u8>,
    told: Instant,
}

impl Sender {
    async fn packets(&mut self, packets: &[Bytes]) -> io::Result<()> {
        if let [one] = packets {
            self.half.write_all(one).await?;
            return self.half.flush().await;
        }
        for packet in packets {
            if packet.len() >= LINK_COPY_BYTES {
                self.write_buffer().await?;
                self.half.write_all(packet).await?;
            } else {
                self.buffer.extend_from_slice(packet);
            }
        }
        self.write_buffer().await?;
        self.half.flush().await
    }

    async fn write_buffer(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.half.write_all(&self.buffer).await?;
            self.buffer.clear();
        }
        Ok(())
    }

    async fn stream(&mut self, shared: &Shared, link: LinkId, chunks: Box<dyn Chunks>) -> Result<(), String> {
        let mut chunks = chunks;
        let mut piece = Vec::new();
        loop {
            let made = spawn_blocking(move || {
                let more = chunks.next(&mut piece);
                (chunks, piece, more)
            });
            let more;
            (chunks, piece, more) = made.await.map_err(|e| e.to_string())?;
            let more = more?;
            for part in piece.chunks(LINK_WRITE_BYTES) {
                self.half.write_all(part).await.map_err(|e| e.to_string())?;
                self.progress(shared, link);
            }
            piece.clear();
            if !more {
                return self.half.flush().await.map_err(|e| e.to_string());
            }
        }
    }

    fn progress(&mut self, shared: &Shared, link: LinkId) {
        if self.told.elapsed() >= Duration::from_millis(LINK_PROGRESS_MS) {
            self.told = Instant::now();
            shared.tell_of(link, LinkEvent::Progress { link });
        }
    }
}

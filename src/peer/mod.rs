//! Quorum and election wire: what members say to each other, and the login in front of it.
//!
//! # Invariants
//!
//! * Every decoder is total and bounded.
//! * What Java sends is read; what is written Java reads (3.5 to 3.9).

pub mod auth_packet;
pub mod codec;
mod error;
mod initial;
mod notification;
mod packet;
pub mod payload;

pub use error::BadPacket;
pub use initial::{ElectionAddress, Initial, InitialDecoded, InitialProtocol};
pub use notification::{Notification, PeerState};
pub use packet::{Activation, Forwarded, LearnerInfo, Packet, PacketKind, Revalidation, Touch};

//! Create flags and the owner field's encodings (`CreateMode`, `EphemeralType`, `EphemeralTypeEmulate353`).
//!
//! # Invariants
//!
//! * Container and TTL encodings are recognised only as ZooKeeper does: the
//!   container value always, the TTL form only with extended types enabled.

/// The client's create flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateMode {
    /// 0
    Persistent,
    /// 1
    Ephemeral,
    /// 2
    PersistentSequential,
    /// 3
    EphemeralSequential,
    /// 4
    Container,
    /// 5
    PersistentTtl,
    /// 6
    PersistentSequentialTtl,
}

impl CreateMode {
    /// Decodes the flags field; `None` is BADARGUMENTS.
    pub fn from_flags(flags: i32) -> Option<CreateMode> {
        Some(match flags {
            0 => CreateMode::Persistent,
            1 => CreateMode::Ephemeral,
            2 => CreateMode::PersistentSequential,
            3 => CreateMode::EphemeralSequential,
            4 => CreateMode::Container,
            5 => CreateMode::PersistentTtl,
            6 => CreateMode::PersistentSequentialTtl,
            _ => return None,
        })
    }

    /// Is the parent's counter appended to the name?
    pub fn is_sequential(self) -> bool {
        use CreateMode::*;
        matches!(self, PersistentSequential | EphemeralSequential | PersistentSequentialTtl)
    }

    /// Does the node die with its session?
    pub fn is_ephemeral(self) -> bool {
        matches!(self, CreateMode::Ephemeral | CreateMode::EphemeralSequential)
    }

    /// Does the node carry a time to live?
    pub fn is_ttl(self) -> bool {
        matches!(self, CreateMode::PersistentTtl | CreateMode::PersistentSequentialTtl)
    }
}

/// What the owner field of a znode means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// Field is 0.
    Persistent,
    /// Field is a session id.
    Session(i64),
    /// Field is the container mark.
    Container,
    /// Field carries a time to live in ms.
    Ttl(i64),
}

/// The owner field of a container node.
pub const CONTAINER_OWNER: i64 = i64::MIN;
/// Longest time to live, ms.
pub const MAX_TTL: i64 = 0x00ff_ffff_ffff;
const EXTENDED_MASK: i64 = 0xff00_0000_0000_0000_u64 as i64;
const EXTENDED_BIT_TTL: i64 = 0;
const EXTENDED_FEATURE_SHIFT: u32 = 40;
const EXTENDED_FEATURE_MASK: i64 = 0x00ff_ff00_0000_0000;

impl Owner {
    /// Reads the owner field. `extended` is `extendedTypesEnabled`, `emulate353` is `emulate353TTLNodes`.
    /// An extended feature other than TTL is read as a session id, never as an error.
    pub fn decode(field: i64, extended: bool, emulate353: bool) -> Owner {
        if field == CONTAINER_OWNER {
            return Owner::Container;
        }
        if emulate353 && field < 0 {
            // Java takes the low forty bits in both encodings.
            return Owner::Ttl(field & MAX_TTL);
        }
        if extended && field & EXTENDED_MASK == EXTENDED_MASK {
            let feature = (field & EXTENDED_FEATURE_MASK) >> EXTENDED_FEATURE_SHIFT;
            if feature == EXTENDED_BIT_TTL {
                return Owner::Ttl(field & MAX_TTL);
            }
        }
        if field == 0 { Owner::Persistent } else { Owner::Session(field) }
    }

    /// The owner field to store for a TTL of `ttl` ms (1..=[`MAX_TTL`]).
    pub fn encode_ttl(ttl: i64) -> i64 {
        EXTENDED_MASK | (ttl & MAX_TTL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_encodings_are_javas() {
        assert_eq!(Owner::decode(0, true, false), Owner::Persistent);
        assert_eq!(Owner::decode(5, true, false), Owner::Session(5));
        assert_eq!(Owner::decode(i64::MIN, false, false), Owner::Container);
        let f = Owner::encode_ttl(5000);
        assert_eq!(f as u64, 0xff00_0000_0000_1388);
        assert_eq!(Owner::decode(f, true, false), Owner::Ttl(5000));
        assert_eq!(Owner::decode(f, false, false), Owner::Session(f));
        assert_eq!(Owner::decode(i64::MIN | 70, true, true), Owner::Ttl(70));
        assert_eq!(Owner::decode(f, true, true), Owner::Ttl(5000));
    }
}

//! Key stores, acceptors, connectors (filled by the security work).

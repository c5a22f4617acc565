//! GSSAPI (filled by the security work).

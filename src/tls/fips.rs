//! The FIPS build (`--features fips`): TLS by the FIPS module of AWS-LC, and what is refused there.
//!
//! # Invariants
//!
//! * The build says at its start what it refuses; nothing is refused silently.

/// Is this the FIPS build?
pub const FIPS: bool = cfg!(feature = "fips");

/// What the FIPS build says at its start.
pub const NOTE: &str = "FIPS build: TLS uses the FIPS module of AWS-LC. Refused are ChaCha20-Poly1305, X25519, TLS 1.2 without \
     extended master secret, JKS stores (protected by SHA-1), and PKCS#12 stores with RC2 or Triple DES; \
     DIGEST-MD5 logins are refused, too";

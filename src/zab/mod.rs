//! Atomic broadcast (filled by the ensemble work).

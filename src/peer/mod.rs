//! Quorum and election wire (filled by the ensemble work).

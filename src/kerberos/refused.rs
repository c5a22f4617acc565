//! How a mechanism says no through rsasl: the refusal itself is the error.
//!
//! # Invariants
//!
//! * A [`Refusal`] that a mechanism raised comes out of the session as it went in.
//! * Whatever else a session reports is a refusal, too: nothing falls through to a login.

use std::error::Error;
use std::fmt;

use rsasl::mechanism::{MechanismError, MechanismErrorKind};
use rsasl::prelude::SessionError;

use crate::auth::reason::Reason;
use crate::auth::sasl::{Refusal, SaslStep};

/// The client is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused(pub Refusal);

/// The client cannot be judged: our own fault, or a passing one. The socket is closed without a reply, so that
/// the client tries again, or another server, instead of giving up for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken(pub Refusal);

/// Either of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum No {
    /// See [`Refused`].
    Refused(Refusal),
    /// See [`Broken`].
    Broken(Refusal),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> No {
        No::Refused(refusal)
    }
}

impl From<No> for SessionError {
    fn from(no: No) -> SessionError {
        match no {
            No::Refused(refusal) => Refused(refusal).into(),
            No::Broken(refusal) => Broken(refusal).into(),
        }
    }
}

macro_rules! mechanism_error {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}: {}", self.0.reason, self.0.detail)
            }
        }
        impl Error for $type {}
        impl MechanismError for $type {
            fn kind(&self) -> MechanismErrorKind {
                MechanismErrorKind::Outcome
            }
        }
    )*};
}
mechanism_error!(Refused, Broken);

/// The refusal that a mechanism raised, if the error is one.
pub fn of(error: &SessionError) -> Option<Refusal> {
    raised(error).map(|no| match no {
        No::Refused(refusal) | No::Broken(refusal) => refusal,
    })
}

/// What the server does about a session's error; errors of rsasl itself are tokens out of turn.
pub fn step_of(error: &SessionError) -> SaslStep {
    match raised(error) {
        Some(No::Refused(refusal)) => SaslStep::Refused(refusal),
        Some(No::Broken(refusal)) => SaslStep::Broken(refusal),
        None => SaslStep::Refused(Refusal::new(Reason::SaslSequence, error.to_string())),
    }
}

fn raised(error: &SessionError) -> Option<No> {
    let SessionError::MechanismError(error) = error else { return None };
    let error: &(dyn Error + 'static) = error.as_ref();
    let refused = error.downcast_ref().map(|Refused(refusal)| No::Refused(refusal.clone()));
    refused.or_else(|| error.downcast_ref().map(|Broken(refusal)| No::Broken(refusal.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_comes_out_as_it_went_in() {
        let refusal = Refusal::new(Reason::KrbSkew, "412 s").of("alice@ZK.TEST");
        let error = SessionError::from(Refused(refusal.clone()));
        assert_eq!(of(&error), Some(refusal.clone()));
        assert_eq!(step_of(&error), SaslStep::Refused(refusal.clone()));
        assert_eq!(step_of(&SessionError::from(Broken(refusal.clone()))), SaslStep::Broken(refusal));
        let other = SessionError::InputDataRequired;
        assert_eq!(of(&other), None);
        assert!(matches!(step_of(&other), SaslStep::Refused(r) if r.reason == Reason::SaslSequence));
    }
}

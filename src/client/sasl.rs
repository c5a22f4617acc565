//! SASL of a client session, by the mechanisms of the Kerberos room.
//!
//! # Invariants
//!
//! * Whatever may wait for a KDC, a resolver or a file runs on a blocking thread, not on the reactor.
//! * A login that fails ends the session as AuthFailed: nobody goes on without it.

use super::connect_string::HostPort;
use super::stream::{Boxed, SaslClient, SaslSession, SaslStep};
use crate::auth::sasl::Refusal;
use crate::kerberos::initiator::{Conversation, Initiator, Next, Outward};
use std::sync::Arc;

/// Logs in each connection of a session.
#[derive(Debug)]
pub struct OutwardSasl(Arc<Initiator>);

impl OutwardSasl {
    /// Nothing is read or asked before the first connection.
    pub fn new(outward: Outward) -> OutwardSasl {
        OutwardSasl(Arc::new(Initiator::new(outward)))
    }
}

impl SaslClient for OutwardSasl {
    fn begin(&self, server: &HostPort) -> Result<Box<dyn SaslSession>, String> {
        let state = State::Fresh { initiator: self.0.clone(), host: server.host.clone() };
        Ok(Box::new(Talk(state)))
    }
}

/// Where a conversation stands.
enum State {
    Fresh {
        initiator: Arc<Initiator>,
        host: String,
    },
    Speaking(Conversation),
    /// The last token is sent: the verdict comes without one.
    Waiting,
    Over,
}

struct Talk(State);

impl SaslSession for Talk {
    fn step<'a>(&'a mut self, challenge: Option<&'a [u8]>) -> Boxed<'a, Result<SaslStep, String>> {
        let challenge = challenge.map(<[u8]>::to_vec);
        let state = std::mem::replace(&mut self.0, State::Over);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || advance(state, challenge.as_deref())).await;
            match done {
                Ok(Ok((state, step))) => {
                    self.0 = state;
                    Ok(step)
                }
                Ok(Err(refusal)) => Err(format!("{}: {}", refusal.reason, refusal.detail)),
                Err(e) => Err(format!("the login broke off: {e}")),
            }
        })
    }
}

/// One step, on a thread that may wait.
fn advance(state: State, challenge: Option<&[u8]>) -> Result<(State, SaslStep), Refusal> {
    use crate::auth::reason::Reason::SaslSequence;
    let mut conversation = match state {
        State::Fresh { initiator, host } => initiator.begin(&host)?,
        State::Speaking(conversation) => conversation,
        State::Waiting if challenge.unwrap_or_default().is_empty() => {
            return Ok((State::Over, SaslStep::Done));
        }
        State::Waiting | State::Over => {
            return Err(Refusal::new(SaslSequence, "the server sent a token behind the end of the login"));
        }
    };
    Ok(match conversation.step(challenge)? {
        Next::Send(token) => (State::Speaking(conversation), SaslStep::Send(token)),
        Next::Last(token) => (State::Waiting, SaslStep::Send(token)),
        Next::Done => (State::Over, SaslStep::Done),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::kerberos::digest_md5::CLIENTS;
    use crate::kerberos::initiator::{Credentials, ServiceRule};

    #[tokio::test]
    async fn a_conversation_goes_on_over_blocking_threads() {
        let credentials = Credentials::Password { user: "bob".into(), password: Secret::new("secret") };
        let service = ServiceRule::default();
        let sasl =
            OutwardSasl::new(Outward { credentials, service, names: CLIENTS, mutual: true, fips: None });
        let server = HostPort { host: "localhost".into(), port: 1 };
        let mut talk = sasl.begin(&server).unwrap();
        assert_eq!(talk.step(None).await, Ok(SaslStep::Send(Vec::new())));
        let challenge = b"realm=\"zk-sasl-md5\",nonce=\"n\",charset=utf-8,algorithm=md5-sess";
        assert!(matches!(talk.step(Some(challenge)).await, Ok(SaslStep::Send(_))));
        let refused = talk.step(Some(b"rspauth=x")).await.unwrap_err();
        assert!(refused.starts_with("DIGEST_REFUSED: "), "{refused}");
        assert!(talk.step(Some(b"")).await.is_err());
    }
}

//! From a server's name to a session on an open connection.
//!
//! # Invariants
//!
//! * Nothing but the connect request and SASL tokens is sent before the session stands.

use super::config::{ClientConfig, Credentials};
use super::connect_string::HostPort;
use super::error::ClientError;
use super::stream::{ByteStream, SaslClient, SaslStep};
use super::wire;
use crate::error::Code;
use crate::jute::{Reader, Writer};
use crate::limits::{CLIENT_SASL_ROUNDS, PASSWORD_LENGTH};
use crate::proto::{ConnectRequest, ConnectResponse, OpCode};
use crate::types::SessionId;
use bytes::{Bytes, BytesMut};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What the reason of a failed login starts with; that of a refused `addauth` does not.
pub const LOGIN: &str = "login: ";

/// A session that stands on an open connection.
pub struct Established {
    /// The connection.
    pub stream: Box<dyn ByteStream>,
    /// Id and password.
    pub credentials: Credentials,
    /// Negotiated time-out.
    pub timeout: Duration,
    /// Is the server read-only?
    pub read_only: bool,
    /// Was a SASL conversation completed?
    pub sasl: bool,
}

/// The first frame of a connection.
pub fn connect_request(
    config: &ClientConfig,
    credentials: Option<Credentials>,
    last_zxid: i64,
) -> ConnectRequest {
    let none = Credentials { id: SessionId::NONE, password: [0; PASSWORD_LENGTH] };
    let credentials = credentials.unwrap_or(none);
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: last_zxid,
        timeout: i32::try_from(config.timeout.as_millis()).unwrap_or(i32::MAX),
        session_id: credentials.id.0,
        password: credentials.password.to_vec(),
        read_only: Some(config.read_only),
    }
}

/// Connects, opens or takes up the session, authenticates.
pub async fn establish(
    config: &ClientConfig,
    server: &HostPort,
    request: ConnectRequest,
) -> Result<Established, ClientError> {
    let lost = |e: std::io::Error| ClientError::ConnectionLost(format!("{server}: {e}"));
    let mut stream = config.connector.connect(server).await.map_err(lost)?;
    let mut out = Vec::new();
    request.encode(&mut out);
    stream.write_all(&out).await.map_err(lost)?;
    let mut input = BytesMut::new();
    let frame = read_frame(&mut stream, &mut input, config.max_buffer, server).await?;
    let response = ConnectResponse::decode(&frame)?;
    if response.timeout <= 0 {
        return Err(ClientError::SessionExpired);
    }
    let sasl = match &config.sasl {
        Some(client) => converse(&mut stream, &mut input, config, client.as_ref(), server).await?,
        None => false,
    };
    Ok(Established {
        stream,
        credentials: Credentials { id: SessionId(response.session_id), password: response.password },
        timeout: Duration::from_millis(u64::try_from(response.timeout).unwrap_or(0)),
        read_only: response.read_only.unwrap_or(false),
        sasl,
    })
}

async fn read_frame(
    stream: &mut Box<dyn ByteStream>,
    input: &mut BytesMut,
    max: usize,
    server: &HostPort,
) -> Result<Bytes, ClientError> {
    loop {
        if let Some(frame) = wire::take_frame(input, max)? {
            return Ok(frame);
        }
        match stream.read_buf(input).await {
            Ok(0) => {
                return Err(ClientError::ConnectionLost(format!(
                    "{server} closed the connection; it may be starting, out of quorum, or at its connection limit"
                )));
            }
            Ok(_) => {}
            Err(e) => return Err(ClientError::ConnectionLost(format!("{server}: {e}"))),
        }
    }
}

/// The SASL conversation, token by token.
async fn converse(
    stream: &mut Box<dyn ByteStream>,
    input: &mut BytesMut,
    config: &ClientConfig,
    client: &dyn SaslClient,
    server: &HostPort,
) -> Result<bool, ClientError> {
    let failed = |why: String| ClientError::AuthFailed(format!("{LOGIN}{why}"));
    let mut session = client.begin(server).map_err(failed)?;
    let mut challenge: Option<Bytes> = None;
    for round in 0..CLIENT_SASL_ROUNDS {
        let token = match session.step(challenge.as_deref()).await.map_err(failed)? {
            SaslStep::Done => return Ok(true),
            SaslStep::Send(token) => token,
        };
        let (mut record, mut out) = (Vec::new(), Vec::new());
        Writer::new(&mut record).buffer(Some(&token));
        wire::request(&mut out, round, OpCode::Sasl.number(), &record);
        let lost = |e: std::io::Error| ClientError::ConnectionLost(format!("{server}: {e}"));
        stream.write_all(&out).await.map_err(lost)?;
        let reply = wire::parse_reply(read_frame(stream, input, config.max_buffer, server).await?)?;
        if reply.header.err != 0 {
            let code = Code::from_number(reply.header.err);
            return Err(failed(format!("{server} refused it with {code:?}; its log says why")));
        }
        let token = Reader::new(&reply.body).buffer()?.unwrap_or_default();
        challenge = Some(Bytes::copy_from_slice(token));
    }
    Err(failed(format!("{server} did not end the SASL conversation")))
}

//! What logs in: tokens of clients, and the keytab that they are judged by.

/// The first token of a GSSAPI client: its framing and the readable part of its AP-REQ.
pub mod aprequest {
    use oxkeeper::kerberos::token::ap_req;

    pub fn decode(data: &[u8]) -> bool {
        ap_req(data).is_ok()
    }

    pub fn check(data: &[u8]) {
        let Ok(request) = ap_req(data) else { return };
        assert_eq!(data[0], 0x60);
        assert!(!request.service.is_empty() || data.len() > 40);
        assert!(request.ticket.cipher.len() + request.authenticator.cipher.len() < data.len());
        assert_eq!(ap_req(&[data, b"x"].concat()), Err("bytes behind the GSSAPI token"));
    }
}

/// A keytab file.
pub mod keytab {
    use oxkeeper::kerberos::keytab::parse;

    pub fn decode(data: &[u8]) -> bool {
        parse(data).is_ok()
    }

    pub fn check(data: &[u8]) {
        let Ok(keytab) = parse(data) else { return };
        assert!(keytab.entries.len() + keytab.holes <= data.len() / 5);
        let principals = keytab.principals();
        for entry in &keytab.entries {
            assert!(principals.contains(&entry.principal()));
            assert!(keytab.of_type(entry.enctype).any(|e| e == entry));
            assert!(keytab.of_service(entry.primary()).any(|e| e == entry));
            assert!(entry.key_length() < data.len());
        }
    }
}

/// What a KDC answers, as doctor reads it.
pub mod kdcanswer {
    use oxkeeper::kerberos::kdc::{Answer, read};

    pub fn decode(data: &[u8]) -> bool {
        read(data).is_some()
    }

    pub fn check(data: &[u8]) {
        match read(data) {
            Some(Answer::Error(error)) => {
                assert!(error.code >= 0 && error.enctypes.len() <= 32);
                // Bytes that are no UTF-8 take three each.
                assert!(error.text.len() <= 3 * data.len());
            }
            Some(Answer::Reply(reply)) => assert_eq!(Some(Answer::Reply(reply)), read(data)),
            None => {}
        }
    }
}

/// DIGEST-MD5: a token as the answer to our challenge, and as another server's challenge.
pub mod digest {
    use oxkeeper::config::Secret;
    use oxkeeper::config::jaas::parse_jaas;
    use oxkeeper::kerberos::digest_md5::{CLIENTS, Client, ClientStep, DigestConfig, Login, Server, Step};
    use std::sync::Arc;

    const SECTION: &str =
        "S { org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"secret\"; };";

    fn server() -> Server {
        let mut jaas = parse_jaas(SECTION, &|_| None).expect("a section");
        let module = jaas.sections.remove(0).modules.remove(0);
        Server::new(Arc::new(DigestConfig::of_clients(&module, None).expect("users")), [7; 24])
    }

    fn client() -> Client {
        let login = Login { user: "bob".into(), password: Secret::new("secret"), names: CLIENTS };
        Client::new(login, [9; 24])
    }

    /// Whoever the token proves to be.
    fn answered(data: &[u8]) -> Option<String> {
        let mut server = server();
        assert!(matches!(server.step(Some(b"")), Ok(Step::Challenge(_))));
        match server.step(Some(data)) {
            Ok(Step::Done { user, .. }) => Some(user),
            Ok(Step::Challenge(_)) => panic!("a second challenge"),
            Err(_) => None,
        }
    }

    /// What a client answers to the token as a challenge.
    fn challenged(data: &[u8]) -> Option<Vec<u8>> {
        let mut client = client();
        assert!(matches!(client.step(None), Ok(ClientStep::Send(_))));
        match client.step(Some(data)) {
            Ok(ClientStep::Send(answer)) => Some(answer),
            Ok(ClientStep::Done) => panic!("a login that nobody proved"),
            Err(_) => None,
        }
    }

    pub fn decode(data: &[u8]) -> bool {
        answered(data).is_some() | challenged(data).is_some()
    }

    pub fn check(data: &[u8]) {
        assert!(answered(data).is_none_or(|user| user == "bob"));
        if let Some(answer) = challenged(data) {
            assert!(!String::from_utf8_lossy(&answer).contains("secret"));
        }
    }
}

/// A packet of a login between servers.
pub mod authpacket {
    use oxkeeper::peer::auth_packet::{AuthPacket, Decoded};

    pub fn decode(data: &[u8]) -> bool {
        matches!(AuthPacket::decode(data), Ok(Decoded::Packet(..)))
    }

    pub fn check(data: &[u8]) {
        let Ok(Decoded::Packet(packet, used)) = AuthPacket::decode(data) else { return };
        assert!(used <= data.len());
        let mut again = Vec::new();
        packet.encode(&mut again);
        // An unknown status is an error, whose number is another.
        assert_eq!(again.len(), used);
        assert_eq!(AuthPacket::decode(&again), Ok(Decoded::Packet(packet, used)));
    }
}

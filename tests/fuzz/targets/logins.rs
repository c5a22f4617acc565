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

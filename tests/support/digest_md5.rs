//! The client's half of DIGEST-MD5 (RFC 2831) as Java's clients speak it, with every liberty that a client can take.
//!
//! # Invariants
//! * It shares no code with the server: a mistake of ours on both sides would be seen.

use openssl::hash::{MessageDigest, hash};

/// What a client answers a challenge with. [`Answer::to`] fills it as an honest client does.
#[derive(Clone, Debug)]
pub struct Answer {
    pub user: String,
    pub password: String,
    pub realm: String,
    pub nonce: String,
    pub cnonce: String,
    pub nc: String,
    pub qop: String,
    pub uri: String,
    /// Authorization id; `None` leaves it out.
    pub authzid: Option<String>,
    /// Put behind the other directives as it is.
    pub more: String,
}

impl Answer {
    /// An honest answer to a challenge of a ZooKeeper server.
    pub fn to(challenge: &[u8], user: &str, password: &str) -> Answer {
        let text = String::from_utf8_lossy(challenge).into_owned();
        let field = |name: &str| {
            let from = text.find(&format!("{name}=\"")).map_or(text.len(), |at| at + name.len() + 2);
            text[from..].split('"').next().unwrap_or_default().to_owned()
        };
        Answer {
            user: user.to_owned(),
            password: password.to_owned(),
            realm: field("realm"),
            nonce: field("nonce"),
            cnonce: "Y2xpZW50IG5vbmNl".to_owned(),
            nc: "00000001".to_owned(),
            qop: "auth".to_owned(),
            uri: "zookeeper/zk-sasl-md5".to_owned(),
            authzid: Some(user.to_owned()),
            more: String::new(),
        }
    }

    /// The response's value.
    pub fn proof(&self) -> String {
        let secret = md5(format!("{}:{}:{}", self.user, self.realm, self.password).as_bytes());
        let mut a1 = secret;
        a1.extend_from_slice(format!(":{}:{}", self.nonce, self.cnonce).as_bytes());
        if let Some(authzid) = &self.authzid {
            a1.extend_from_slice(format!(":{authzid}").as_bytes());
        }
        let mut a2 = format!("AUTHENTICATE:{}", self.uri);
        if self.qop != "auth" {
            a2.push_str(":00000000000000000000000000000000");
        }
        let (ha1, ha2) = (hex(&md5(&a1)), hex(&md5(a2.as_bytes())));
        let text = format!("{ha1}:{}:{}:{}:{}:{ha2}", self.nonce, self.nc, self.cnonce, self.qop);
        hex(&md5(text.as_bytes()))
    }

    /// The token.
    pub fn token(&self) -> Vec<u8> {
        self.token_with(&self.proof())
    }

    /// The token with another proof.
    pub fn token_with(&self, proof: &str) -> Vec<u8> {
        let mut text = format!(
            "charset=utf-8,username=\"{}\",realm=\"{}\",nonce=\"{}\",nc={},cnonce=\"{}\",digest-uri=\"{}\",\
             maxbuf=65536,response={proof},qop={}",
            self.user, self.realm, self.nonce, self.nc, self.cnonce, self.uri, self.qop
        );
        if let Some(authzid) = &self.authzid {
            text.push_str(&format!(",authzid=\"{authzid}\""));
        }
        text.push_str(&self.more);
        text.into_bytes()
    }
}

fn md5(bytes: &[u8]) -> Vec<u8> {
    hash(MessageDigest::md5(), bytes).expect("MD5 is there").to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

//! The same forgeries at a started server: what a client gets that sends them.
//!
//! # Invariants
//! * A case passes when the server refuses and says nothing more, or when the session has no identity but its own and
//!   reads neither what is bob's nor what is nobody's.
//! * An honest login reads what is bob's, and the super user what is nobody's: the znodes prove something.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use oxkeeper::auth::{DigestAlgorithm, generate_digest};
use oxkeeper::jute::{Writer, records};
use oxkeeper::proto::OpCode;
use oxkeeper::types::{Acl, Id, perms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::addauth;
use crate::certificates::{self, ADMIN, Odd};
use crate::digest::{CHANGES, SECTION};
use crate::pki::Pki;
use crate::support::digest_md5::Answer;
use crate::support::{Kind, Server};
use crate::table::{OWN, Table};
use crate::talk::{Talk, dial};

/// What a refused client sees.
const REFUSED: &str = "refused";
/// The password of the super digest.
const SECRET: &str = "the secret";

struct Site {
    pki: Pki,
    server: Server,
    secure: u16,
}

impl Site {
    /// A server with everything that can be forged: users, a super digest, a super principal, a super certificate.
    fn new() -> Site {
        let pki = Pki::new();
        let jaas = pki.write("jaas.conf", SECTION);
        let digest = generate_digest(DigestAlgorithm::Sha1, &format!("super:{SECRET}"));
        let (spec, secure) = pki.spec("server.pem", "ca.pem");
        let spec = spec
            .cfg("authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider")
            .cfg("ssl.clientAuth=need")
            .cfg(&format!("X509AuthenticationProvider.superUser={ADMIN}"))
            .cfg(&format!("DigestAuthenticationProvider.superDigest={digest}"))
            .cfg("superUser=admin@ZK.TEST")
            .flag(&format!("-Djava.security.auth.login.config={}", jaas.display()));
        let server = Server::start(Kind::Oxkeeper, &spec).expect("the server serves");
        Site { pki, server, secure }
    }

    fn plain(&self) -> Talk<TcpStream> {
        Talk::open(dial(self.server.port()).expect("connected")).expect("a session")
    }

    /// A session of whoever holds a certificate; an error where it has none.
    fn tls(&self, names: Option<Odd>) -> std::io::Result<Talk<StreamOwned<ClientConnection, TcpStream>>> {
        let pem = self.pki.ca.issue("admin", 99, |params| {
            if let Some((_, names, sans)) = names {
                certificates::name(params, names, sans);
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pki.ca.pem.as_bytes()).expect("PEM")).expect("trusted");
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")];
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .expect("a key");
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(Arc::new(config), name).expect("a client");
        Talk::open(StreamOwned::new(tls, dial(self.secure)?))
    }

    /// Znodes that bob alone and nobody may read.
    fn prepare(&self) {
        let mut anybody = self.plain();
        for (path, id) in [("/bobs", Id::new("sasl", "bob")), ("/nobodys", Id::new("digest", "nobody:x"))] {
            let acl = [Acl { perms: perms::ALL, id }];
            let create = |w: &mut Writer<'_, Vec<u8>>| {
                w.string(Some(path));
                w.buffer(Some(b"secret"));
                records::write_acls(w, &acl);
                w.i32(0);
            };
            assert_eq!(anybody.ask(OpCode::Create, create).expect("an answer").0, 0);
        }
    }
}

/// What a session holds that let somebody in: `OWN` where that is `expected` alone.
fn holds<S: Read + Write>(talk: &mut Talk<S>, expected: &[String]) -> String {
    let held = talk.who().expect("an answer");
    let read = ["/bobs", "/nobodys"].map(|path| talk.read(path).expect("an answer"));
    if held == expected && read == [-102, -102] {
        OWN.to_owned()
    } else {
        format!("holds {held:?}, reads {read:?}")
    }
}

pub fn cases(table: &mut Table) {
    let site = Site::new();
    site.prepare();
    logins(table, &site);
    packets(table, &site);
    certificates_of_others(table, &site);
}

/// DIGEST-MD5: an honest answer but for one thing.
fn logins(table: &mut Table, site: &Site) {
    let log_in = |user: &str, password: &str, change: &dyn Fn(&mut Answer)| {
        let mut talk = site.plain();
        let (err, challenge) = talk.token(b"").expect("a challenge");
        assert_eq!(err, 0);
        let mut answer = Answer::to(&challenge, user, password);
        change(&mut answer);
        let (err, _) = talk.token(&answer.token()).expect("an answer");
        (talk, err)
    };
    let (mut bob, err) = log_in("bob", "b secret", &|_| ());
    assert_eq!((err, bob.read("/bobs").expect("an answer")), (0, 0), "an honest login reads what is its own");
    assert_eq!(bob.read("/nobodys").expect("an answer"), -102);
    for (case, _, change) in CHANGES {
        let (mut talk, err) = log_in("bob", "b secret", change);
        let came = match err {
            0 => holds(&mut talk, &[]),
            _ if talk.read("/bobs").is_err() => REFUSED.to_owned(),
            _ => "refused, and goes on".to_owned(),
        };
        table.note("digest-md5, served", case, REFUSED, came);
    }
}

/// Auth packets.
fn packets(table: &mut Table, site: &Site) {
    let mut root = site.plain();
    assert_eq!(root.add_auth("digest", format!("super:{SECRET}").as_bytes()).expect("an answer"), 0);
    assert_eq!(root.read("/nobodys").expect("an answer"), 0, "the super digest reads everything");
    for (scheme, auth, _) in addauth::REFUSED {
        let mut talk = site.plain();
        let came = match talk.add_auth(scheme, auth.as_bytes()) {
            Ok(0) => holds(&mut talk, &[]),
            Ok(-115) if talk.read("/bobs").is_err() => REFUSED.to_owned(),
            other => format!("{other:?}"),
        };
        table.note("addauth, served", &format!("{scheme}: {auth}"), REFUSED, came);
    }
    for (scheme, auth) in addauth::OWN_ALONE {
        let mut talk = site.plain();
        let text = String::from_utf8_lossy(auth);
        let came = match talk.add_auth(scheme, auth) {
            Ok(0) => {
                let own = talk.who().expect("an answer");
                let one = own.iter().all(|id| *scheme == "digest" && id.starts_with("digest:"));
                if one && own.len() <= 1 { holds(&mut talk, &own) } else { format!("holds {own:?}") }
            }
            Ok(-115) => OWN.to_owned(),
            other => format!("{other:?}"),
        };
        table.note("addauth, served", &format!("{scheme}: {text}"), OWN, came);
    }
}

/// Certificates of an authority that the server trusts, with odd names.
fn certificates_of_others(table: &mut Table, site: &Site) {
    let admin = || Some(("admin", certificates::admin(), vec![]));
    let mut root = site.tls(admin()).expect("a session");
    assert_eq!(root.read("/nobodys").expect("an answer"), 0, "the super certificate reads everything");
    for odd in certificates::refused() {
        let case = odd.0;
        let came = match site.tls(Some(odd)) {
            Ok(mut talk) => holds(&mut talk, &[]),
            Err(_) => REFUSED.to_owned(),
        };
        table.note("x509, served", case, REFUSED, came);
    }
    for (odd, _) in certificates::own_alone() {
        let case = odd.0;
        let came = match site.tls(Some(odd)) {
            Ok(mut talk) => {
                let own = talk.who().expect("an answer");
                let one =
                    own.len() == 1 && own.iter().all(|id| id.starts_with("x509:") && !id.ends_with(ADMIN));
                if one { holds(&mut talk, &own) } else { format!("holds {own:?}") }
            }
            Err(_) => OWN.to_owned(),
        };
        table.note("x509, served", case, OWN, came);
    }
}

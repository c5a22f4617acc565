//! Names of certificates as identities: Java's server and ours tell the same, for subjects of every shape.

use crate::need;
use crate::pki::{Pki, has};
use crate::support::{Kind, Server, java};

/// Subjects as `openssl req` takes them.
const SUBJECTS: [&str; 13] = [
    "/C=DE/ST=Hessen/L=Frankfurt/O=Example GmbH/OU=ops/CN=plain",
    "/O=Example, Inc./CN=comma",
    "/CN=a\\+b=c<d>e;f\"g\\\\h",
    "/CN=#hash",
    "/CN= leading and trailing ",
    "/CN=one two  three",
    "/DC=org/DC=example/UID=jdoe/CN=components",
    "/CN=mail/emailAddress=a@example.org",
    "/CN=serial/serialNumber=4711/title=Dr/GN=Ada/SN=Lovelace",
    "/CN=Z\u{fc}rich \u{65e5}\u{672c} \u{1f600}",
    "/CN=two+OU=values",
    "/streetAddress=Road 1/postalCode=12345/CN=street",
    "/dnQualifier=q/pseudonym=p/generationQualifier=III/CN=rare",
];

/// A self-signed certificate for each subject, and one trust store with all of them.
fn make(pki: &Pki) -> Vec<String> {
    let mut trusted = pki.ca.pem.clone();
    let mut files = Vec::new();
    for (i, subject) in SUBJECTS.iter().enumerate() {
        let (key, pem) = (format!("key{i}"), format!("id{i}.pem"));
        let args = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-utf8",
            "-multivalue-rdn",
            "-days",
            "30",
            "-subj",
            subject,
            "-keyout",
            &key,
            "-out",
            &pem,
        ];
        pki.tool("openssl", &args).expect("a certificate");
        let certificate = std::fs::read_to_string(pki.path(&pem)).expect("PEM");
        trusted.push_str(&certificate);
        let key = std::fs::read_to_string(pki.path(&key)).expect("PEM");
        pki.write(&pem, &(certificate + &key));
        files.push(pem);
    }
    pki.write("all.pem", &trusted);
    files
}

/// What a server calls whoever holds each certificate.
fn names(kind: Kind, pki: &Pki, files: &[String]) -> Vec<String> {
    let (spec, port) = pki.spec("server.pem", "all.pem");
    let server = Server::start(kind, &spec).expect("the server serves");
    let name = |file: &String| {
        let client =
            pki.connect(file, port).unwrap_or_else(|e| panic!("{kind:?} {file}: {e}\n{}", server.log()));
        let ids = client.wait(client.client().who_am_i()).expect("identities");
        ids.into_iter().filter(|(scheme, _)| scheme == "x509").map(|(_, name)| name).collect()
    };
    files.iter().map(name).collect()
}

#[test]
fn names_are_javas_to_the_byte() {
    need!("TLS: identities on Java", java::classpath(Kind::Java395));
    need!("TLS: identities, openssl", has("openssl"));
    let pki = Pki::new();
    let files = make(&pki);
    let theirs = names(Kind::Java395, &pki, &files);
    let ours = names(Kind::Oxkeeper, &pki, &files);
    for ((subject, theirs), ours) in SUBJECTS.iter().zip(&theirs).zip(&ours) {
        println!("{subject}  is  {theirs}");
        assert!(theirs.contains('='), "{subject}: Java knows a name");
        assert_eq!(theirs, ours, "{subject}");
    }
}

#[test]
fn the_super_user_is_known_by_its_name() {
    let pki = Pki::new();
    let (spec, port) = pki.spec("server.pem", "ca.pem");
    let spec = spec.cfg("X509AuthenticationProvider.superUser=CN=admin");
    let _server = Server::start(Kind::Oxkeeper, &spec).expect("the server serves");
    pki.write("admin.pem", &pki.ca.issue("admin", 9, |_| ()));
    let (admin, client) = (pki.connect("admin.pem", port), pki.connect("client.pem", port));
    let (admin, client) = (admin.expect("admin is served"), client.expect("the client is served"));
    let schemes = |who: &oxkeeper::client::Blocking| -> Vec<String> {
        who.wait(who.client().who_am_i()).expect("identities").into_iter().map(|(scheme, _)| scheme).collect()
    };
    assert!(schemes(&admin).contains(&"super".to_owned()));
    assert!(!schemes(&client).contains(&"super".to_owned()));
}

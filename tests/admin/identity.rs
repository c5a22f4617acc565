//! Who may ask what: Kerberos by curl's SPNEGO, certificates, passwords; roles; what is audited.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::http::{get, request, start, with_admin};
use crate::need;
use crate::pki::{Pki, has};
use crate::support::kdc::Realm;
use crate::support::{Kind, Server, Spec, ports, process};

/// Longest run of curl.
const LIMIT: Duration = Duration::from_secs(60);

/// Status and body of what curl gets.
fn curl(args: &[&str], env: &[(String, String)]) -> Result<(u16, String), String> {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "30", "-w", "\n%{http_code}"]).args(args);
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let (_, printed) = process::run(command, None, LIMIT)?;
    let (body, status) = printed.trim_end().rsplit_once('\n').unwrap_or(("", &printed));
    Ok((status.parse().unwrap_or(0), body.to_owned()))
}

fn curl_speaks(feature: &str) -> Result<(), String> {
    has("curl")?;
    let mut command = Command::new("curl");
    command.arg("--version");
    let (_, printed) = process::run(command, None, LIMIT)?;
    if printed.contains(feature) { Ok(()) } else { Err(format!("curl has no {feature}")) }
}

#[test]
fn kerberos_opens_what_the_role_allows_and_nothing_more() {
    need!("admin: SPNEGO", curl_speaks("SPNEGO"));
    let realm = need!("admin: Kerberos", Realm::start("ADMIN.TEST"));
    let server =
        realm.keytab(&["HTTP/localhost@ADMIN.TEST", "zookeeper/localhost@ADMIN.TEST"]).expect("a keytab");
    let login = |name: &str| {
        let keytab = realm.keytab(&[name]).expect("a keytab");
        realm.env_with(&realm.kinit_keytab(name, &keytab, &[]).expect("tickets"))
    };
    let (ops, reader, other) =
        (login("ops@ADMIN.TEST"), login("reader@ADMIN.TEST"), login("other@ADMIN.TEST"));
    let mut spec = Spec::new()
        .cfg("admin.auth.kerberos=true")
        .cfg(&format!("admin.auth.kerberos.keytab={}", server.display()))
        .cfg("admin.auth.operate.1=sasl:ops@ADMIN.TEST")
        .cfg("admin.auth.read.1=sasl:reader@ADMIN.TEST")
        .cfg("audit.enable=true")
        .cfg("audit.layout=json");
    spec.env = realm.env();
    let home = crate::support::dirs::Dir::new("audit");
    let trail = home.path().join("audit.log");
    let spec = spec.cfg(&format!("audit.file={}", trail.display()));
    let (_running, port) = start(Kind::Oxkeeper, spec).expect("Oxkeeper");
    let ask = |env: &[(String, String)], command: &str| {
        let url = format!("http://localhost:{port}/commands/{command}");
        curl(&["--negotiate", "-u", ":", &url], env).expect("curl runs").0
    };
    let nobody = get(port, "/commands/conf");
    assert_eq!(nobody.status, 401);
    assert!(nobody.head.contains("www-authenticate: negotiate"), "{}", nobody.head);
    assert_eq!(ask(&reader, "conf"), 200);
    assert_eq!(ask(&reader, "stmk?traceMask=5"), 403);
    assert_eq!(ask(&ops, "stmk?traceMask=5"), 200);
    assert_eq!(ask(&ops, "snapshot"), 403);
    assert_eq!(ask(&other, "conf"), 403);
    assert_eq!(get(port, "/commands/mntr").status, 200, "metrics need no identity");
    assert_eq!(get(port, "/readyz").status, 200);
    for token in ["", "AAAA", "YII=", "TlRMTVNTUAABAAAA"] {
        let forged =
            request(port, "GET", "/commands/conf", &[("authorization", &format!("Negotiate {token}"))], &[]);
        assert_eq!(forged.status, 401, "{token}");
    }
    let text = || std::fs::read_to_string(&trail).unwrap_or_default();
    crate::pki::eventually("the actions are audited", || {
        let text = text();
        let line = |who: &str, what: &str, how: &str| {
            text.lines().any(|l| l.contains(who) && l.contains(what) && l.contains(how))
        };
        line("ops@ADMIN.TEST", "set_trace_mask", "success")
            && line("reader@ADMIN.TEST", "set_trace_mask", "fail")
            && line("ops@ADMIN.TEST", "snapshot", "fail")
    });
}

fn secure(pki: &Pki, port: u16) -> Spec {
    let path = |name: &str| pki.path(name).display().to_string();
    with_admin(Spec::new(), port)
        .cfg("admin.forceHttps=true")
        .cfg(&format!("ssl.quorum.keyStore.location={}", path("server.pem")))
        .cfg(&format!("ssl.quorum.trustStore.location={}", path("ca.pem")))
}

fn serve(spec: &Spec) -> Server {
    Server::start(Kind::Oxkeeper, spec).expect("Oxkeeper")
}

fn by_tls(
    pki: &Pki,
    port: u16,
    key: Option<&str>,
    path: &str,
    more: &[&str],
) -> Result<(u16, String), String> {
    let (ca, url) = (pki.path("ca.pem").display().to_string(), format!("https://localhost:{port}{path}"));
    let mut args = vec!["--cacert", &ca];
    let cert = key.map(|key| pki.path(key).display().to_string());
    if let Some(cert) = &cert {
        args.extend(["--cert", cert, "--key", cert]);
    }
    args.extend(more);
    args.push(&url);
    curl(&args, &[])
}

#[test]
fn certificates_open_what_their_subjects_may() {
    need!("admin: HTTPS", has("curl"));
    let pki = Pki::new();
    let port = ports::free();
    let spec = secure(&pki, port).cfg("admin.auth.x509=true").cfg("admin.auth.read.1=x509:CN=client");
    let server = serve(&spec);
    let ask = |key, path: &str| by_tls(&pki, port, key, path, &[]).expect("curl runs").0;
    assert_eq!(ask(Some("client.pem"), "/commands/conf"), 200);
    assert_eq!(ask(Some("server.pem"), "/commands/conf"), 403, "another subject");
    assert_eq!(ask(None, "/commands/conf"), 401);
    assert_eq!(ask(None, "/readyz"), 200);
    let strict = by_tls(&pki, port, None, "/livez", &["-i"]).expect("curl runs").1.to_ascii_lowercase();
    assert!(strict.contains("strict-transport-security: max-age=86400; includesubdomains"), "{strict}");
    assert!(get(port, "/livez").body.is_empty(), "plain HTTP is not answered");
    drop(server);

    // One port for both, a certificate demanded of whoever comes by TLS.
    let spec = secure(&pki, port).cfg("admin.forceHttps=false").cfg("admin.portUnification=true");
    let server = serve(&spec.cfg("admin.needClientAuth=true"));
    assert_eq!(ask(Some("client.pem"), "/commands/conf"), 200, "open on loopback");
    assert_eq!(ask(None, "/commands/conf"), 0, "no certificate, no connection");
    assert_eq!(get(port, "/commands/conf").status, 200);
    drop(server);
}

#[test]
fn passwords_open_what_their_digests_may() {
    let digest = |text: &str| oxkeeper::auth::generate_digest(oxkeeper::auth::DigestAlgorithm::Sha1, text);
    let spec = Spec::new()
        .cfg(&format!("admin.auth.read.1=digest:{}", digest("bob:right")))
        .cfg(&format!("admin.auth.operate.1=digest:{}", digest("ops:pw")));
    let (_server, port) = start(Kind::Oxkeeper, spec).expect("Oxkeeper");
    let ask = |credentials: &str, target: &str| {
        request(port, "GET", target, &[("authorization", credentials)], &[]).status
    };
    assert_eq!(ask("digest bob:right", "/commands/conf"), 200);
    assert_eq!(ask("Basic Ym9iOnJpZ2h0", "/"), 200);
    assert_eq!(ask("digest bob:wrong", "/commands/conf"), 403);
    assert_eq!(ask("digest bob:right", "/commands/crst"), 403);
    assert_eq!(ask("digest ops:pw", "/commands/crst"), 200);
    assert_eq!(ask("digest bob", "/commands/conf"), 401);
    let challenged = get(port, "/");
    assert_eq!(challenged.status, 401);
    assert!(challenged.head.contains("www-authenticate: basic"), "{}", challenged.head);
}

#[test]
fn on_other_addresses_nothing_is_told_without_identity() {
    let port = ports::free();
    let spec = with_admin(Spec::new(), port).cfg("admin.serverAddress=0.0.0.0");
    let _server = serve(&spec);
    for path in [
        "/commands/conf",
        "/commands/",
        "/",
        "/console/tree",
        "/commands/stmk?traceMask=1",
        "/commands/nonsense",
    ] {
        assert_eq!(get(port, path).status, 401, "{path}");
    }
    for path in ["/livez", "/readyz", "/commands/ruok", "/commands/mntr"] {
        assert_eq!(get(port, path).status, 200, "{path}");
    }
}

/// Wrong key material is said at the start, by name.
#[test]
fn what_cannot_be_used_ends_the_start() {
    let cases = [
        (Spec::new().cfg("admin.auth.kerberos=true"), "admin.auth.kerberos.keytab"),
        (Spec::new().cfg("admin.forceHttps=true"), "ssl.quorum.keyStore.location"),
        (
            Spec::new().cfg("admin.auth.kerberos=true").cfg("admin.auth.kerberos.keytab=/nonexistent/keytab"),
            "/nonexistent/keytab",
        ),
    ];
    for (spec, named) in cases {
        let spec = with_admin(spec, ports::free());
        let mut server = Server::launch(Kind::Oxkeeper, &spec).expect("launched");
        let status = server.process().wait(LIMIT).expect("it ends");
        assert_eq!(status.code(), Some(4), "{}", server.log());
        assert!(server.log().contains(named), "{named}: {}", server.log());
        assert!(!Path::new(server.data_dir()).join("version-2").exists(), "nothing was touched");
    }
}

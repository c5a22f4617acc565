//! Providers: auth packets, logins, and what their ids match.

use super::*;

fn providers() -> Providers {
    Providers {
        digest: Some(DigestAlgorithm::Sha1),
        super_digest: Some(crate::config::Secret::new("super:UdxDQl4f9v5oITwcAsO9bmWgHSI=")),
        sasl: true,
        ..Default::default()
    }
}

fn home() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

#[test]
fn a_super_digest_adds_super_beside_the_digest() {
    let p = providers();
    match p.authenticate("digest", b"super:test", home(), &[]) {
        AuthOutcome::Added(ids) => {
            assert!(ids.iter().any(|i| i.scheme == "digest" && i.id.starts_with("super:")));
        }
        other => panic!("{other:?}"),
    }
    let address = AuthOutcome::Added(vec![Id::new("ip", "127.0.0.1")]);
    assert_eq!(p.authenticate("ip", b"10.0.0.1", home(), &[]), address);
    for scheme in ["world", "auth", "super", "sasl", "x509", "ensemble", "nope", ""] {
        assert!(matches!(p.authenticate(scheme, b"x", home(), &[]), AuthOutcome::Failed(_)), "{scheme}");
    }
}

#[test]
fn a_certificate_is_proven_by_the_connection_alone() {
    let p = Providers { x509: true, ..providers() };
    assert!(matches!(p.authenticate("x509", b"CN=a", home(), &[]), AuthOutcome::Failed(_)));
    let held = [Id::new("x509", "CN=a")];
    assert_eq!(p.authenticate("x509", b"CN=b", home(), &held), AuthOutcome::Added(vec![]));
}

#[test]
fn the_ensemble_scheme_closes_for_another_ensemble_and_proves_nothing() {
    let named = Providers { ensemble: Some(Some(vec!["a".into(), "b".into()])), ..providers() };
    let ask = |p: &Providers, name: &[u8]| p.authenticate("ensemble", name, home(), &[]);
    for fits in [b"a".as_slice(), b"b", b""] {
        assert_eq!(ask(&named, fits), AuthOutcome::Added(vec![]));
    }
    assert!(matches!(ask(&named, b"c"), AuthOutcome::Closed(_)));
    assert_eq!(ask(&Providers { ensemble: Some(None), ..providers() }, b"c"), AuthOutcome::Added(vec![]));
    assert!(!named.authenticates("ensemble") && !named.valid("ensemble", "a"));
}

#[test]
fn nothing_secret_is_printed() {
    assert!(!format!("{:?}", providers()).contains("Udx"));
}

fn login(mechanism: Mechanism, principal: &str, id: &str) -> Login {
    Login { mechanism, principal: principal.into(), id: id.into(), service: None, ends: None }
}

#[test]
fn super_users_are_full_principals_or_digest_users() {
    let p = Providers { super_users: vec!["zk/h@R".into(), "admin".into()], ..providers() };
    let is_super = |mechanism, principal, id| {
        p.login_identities(&login(mechanism, principal, id)).contains(&Id::new("super", ""))
    };
    assert!(is_super(Mechanism::Gssapi, "zk/h@R", "zk"));
    assert!(is_super(Mechanism::DigestMd5, "admin", "admin"));
    for (mechanism, principal, id) in [
        (Mechanism::Gssapi, "admin@R", "admin"),
        (Mechanism::Gssapi, "zk/other@R", "zk/h@R"),
        (Mechanism::Gssapi, "ZK/h@R", "ZK/h@R"),
        (Mechanism::Gssapi, "admin", "admin"),
        (Mechanism::DigestMd5, "zk/h@R", "zk/h@R"),
    ] {
        assert!(!is_super(mechanism, principal, id), "{principal}");
    }
}

#[test]
fn sasl_ids_match_as_a_whole_unless_short_names_are_compared() {
    let exact = providers();
    assert!(exact.matches("sasl", "hdfs@R", "hdfs@R"));
    assert!(!exact.matches("sasl", "hdfs/h@R", "hdfs"));
    assert!(exact.matches("sasl", "super", "anything@R"));
    assert!(!exact.matches("sasl", "hdfs", "super"));
    let any = Providers { any_sasl_user: Some("x".into()), ..providers() };
    assert!(any.matches("sasl", "bob@R", "x") && !any.matches("sasl", "bob@R", "y"));

    let short = Providers { short_names: true, default_realm: Some("R".into()), ..providers() };
    for (held, wanted, same) in [
        ("hdfs/hadoop.r@R", "hdfs", true),
        ("hdfs/hadoop.r@R", "hdfs@R", true),
        ("hdfs@R", "hdfs/zk@R", true),
        ("hdfs", "hdfs/zk@R", true),
        ("hdfs@R", "hbase@R", false),
        ("hdfs@R", "HDFS", false),
        ("hdfs@S", "hdfs", false),
        ("hdfs@R", "hdfs@S", false),
        ("hdfs/a@S", "hdfs/b@S", false),
        ("hdfs/a@S", "hdfs/a@S", true),
        ("", "", true),
        ("@R", "", false),
    ] {
        assert_eq!(short.matches("sasl", held, wanted), same, "{held} {wanted}");
    }
    let nowhere = Providers { short_names: true, ..providers() };
    assert!(!nowhere.matches("sasl", "hdfs@R", "hdfs"));
}

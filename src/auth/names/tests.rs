//! Policies of names: ids, realms, refusals, explanations.

use super::*;

fn auth(rules: &str) -> Auth {
    Auth { auth_to_local: rules.to_owned(), ..Auth::default() }
}

fn policy(rules: &str) -> NamePolicy {
    NamePolicy::new(&auth(rules), Some("R.COM")).unwrap()
}

fn reason(outcome: Result<String, Refusal>) -> Reason {
    outcome.unwrap_err().reason
}

#[test]
fn ids_keep_host_and_realm_unless_they_are_removed() {
    let name = "hdfs/hadoop.r.com@R.COM";
    let of = |host, realm| {
        let settings = Auth {
            kerberos_remove_host_from_principal: host,
            kerberos_remove_realm_from_principal: realm,
            ..auth("DEFAULT")
        };
        NamePolicy::new(&settings, Some("R.COM")).unwrap().id_of(name).unwrap()
    };
    assert_eq!(of(false, false), name);
    assert_eq!(of(true, false), "hdfs@R.COM");
    assert_eq!(of(false, true), "hdfs/hadoop.r.com");
    assert_eq!(of(true, true), "hdfs");
    // A rule changes the short name alone.
    let mapped = policy(r"RULE:[2:$1@$0](nn@R\.COM)s/.*/hdfs/ DEFAULT");
    assert_eq!(mapped.id_of("nn/h1@R.COM").unwrap(), "hdfs/h1@R.COM");
}

#[test]
fn what_is_not_mapped_is_refused() {
    let default = policy("DEFAULT");
    for (name, why) in [
        ("bob@OTHER", Reason::NameRealm),
        ("bob@r.com", Reason::NameRealm),
        ("bob", Reason::NameShape),
        ("a/b/c@R.COM", Reason::NameShape),
        (r"a\@R.COM", Reason::NameShape),
    ] {
        let refusal = default.id_of(name).unwrap_err();
        assert_eq!((refusal.reason, refusal.who.as_deref()), (why, Some(name)), "{name}");
    }
    assert_eq!(reason(policy("RULE:[2:$1]").id_of("bob@R.COM")), Reason::NameNoRule);
    assert_eq!(reason(policy("RULE:[1:$1@$0]").id_of("bob@R.COM")), Reason::NameNoRule);
    assert_eq!(reason(policy("").id_of("bob@R.COM")), Reason::NameNoRule);
    let nowhere = NamePolicy::new(&auth("DEFAULT"), None).unwrap();
    assert_eq!(reason(nowhere.id_of("bob@R.COM")), Reason::NameRealm);
}

#[test]
fn a_rule_that_writes_a_realm_out_allows_it_and_a_wide_one_does_not() {
    let narrow = policy(r"RULE:[1:$1@$0](.*@OTHER\.REALM)s/@.*// DEFAULT");
    assert_eq!(narrow.id_of("bob@OTHER.REALM").unwrap(), "bob@OTHER.REALM");
    let wide = policy("RULE:[1:$1@$0](.*@.*)s/@.*// DEFAULT");
    assert_eq!(reason(wide.id_of("bob@OTHER.REALM")), Reason::NameRealm);
    let listed = Auth { kerberos_allowed_realms: vec!["OTHER.REALM".to_owned()], ..auth("RULE:[1:$1]") };
    let listed = NamePolicy::new(&listed, Some("R.COM")).unwrap();
    assert_eq!(listed.id_of("bob@OTHER.REALM").unwrap(), "bob@OTHER.REALM");
    assert_eq!(reason(listed.id_of("bob@R.COM")), Reason::NameRealm);
}

#[test]
fn users_of_digest_md5_have_no_realm() {
    let policy = policy("DEFAULT");
    assert_eq!(policy.id(Mechanism::DigestMd5, "bob").unwrap(), "bob");
    assert_eq!(policy.id(Mechanism::DigestMd5, "bob@R.COM").unwrap(), "bob@R.COM");
    assert_eq!(reason(policy.id(Mechanism::Gssapi, "bob")), Reason::NameShape);
    for bad in ["", "a\nb", "bob@OTHER"] {
        assert!(policy.id_of_user(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_explanation_names_every_rule_up_to_the_one_that_decides() {
    let policy = policy(r"RULE:[2:$1] RULE:[1:$1@$0](x@R\.COM) DEFAULT RULE:[1:$1]");
    let explained = policy.explain("bob@R.COM");
    assert_eq!(explained.outcome, policy.id_of("bob@R.COM"));
    let became: Vec<Tried> = explained.tried.into_iter().map(|(_, became)| became).collect();
    let wanted = [Tried::OtherShape, Tried::NoMatch("bob@R.COM".to_owned()), Tried::Short("bob".to_owned())];
    assert_eq!(became, wanted);
    assert!(policy.explain("nobody").tried.is_empty());
}

#[test]
fn no_principal_becomes_super() {
    let short = Auth {
        kerberos_remove_host_from_principal: true,
        kerberos_remove_realm_from_principal: true,
        ..auth("RULE:[1:$1](root)s/.*/super/ DEFAULT")
    };
    let policy = NamePolicy::new(&short, Some("R.COM")).unwrap();
    for name in ["super@R.COM", "super/h@R.COM", "root@R.COM"] {
        assert_eq!(reason(policy.id_of(name)), Reason::NameNoRule, "{name}");
    }
    assert_eq!(policy.id_of_user("super").unwrap(), "super");
    assert!(policy.id_of_user("super@R.COM").is_err());
    assert_eq!(policy.id_of("superb@R.COM").unwrap(), "superb");
}

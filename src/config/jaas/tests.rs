//! Tests of the parent module.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Jaas, BadJaas> {
    parse_jaas(text, &|name| (name == "user.home").then(|| "/home/zk".to_owned()))
}

#[test]
fn kerberos_sections_of_both_vendors_mean_the_same() {
    let text = r#"
# first line comment
Server { // the server
  com.sun.security.auth.module.Krb5LoginModule required
    useKeyTab=true keyTab="${user.home}/zk.keytab" storeKey=true
    useTicketCache=false principal="zookeeper/h@R" debug=true;
};
/* IBM's
   form */
Ibm {
  com.ibm.security.auth.module.Krb5LoginModule REQUIRED
    credsType=both principal="zookeeper/h@R" useKeytab="file:///home/zk/zk.keytab";
};"#;
    let jaas = read(text).unwrap();
    let sun = &jaas.section("Server").unwrap().modules[0];
    let ibm = &jaas.section("Ibm").unwrap().modules[0];
    assert_eq!((sun.line, ibm.line), (4, 11));
    assert_eq!(sun.kerberos(), ibm.kerberos());
    let kerberos = sun.kerberos().unwrap();
    assert_eq!(kerberos.keytab, Some(PathBuf::from("/home/zk/zk.keytab")));
    assert_eq!(kerberos.principal.as_deref(), Some("zookeeper/h@R"));
    assert!(kerberos.accepts && kerberos.initiates && !kerberos.use_ticket_cache);
}

#[test]
fn digest_sections_have_users_or_a_login() {
    let text = r#"Server { org.apache.zookeeper.server.auth.DigestLoginModule required
            user_super="a\"b" user_bob="c"; };
            Client { org.apache.zookeeper.server.auth.DigestLoginModule required
            username="bob" password="c"; };"#;
    let jaas = read(text).unwrap();
    let server = &jaas.section("Server").unwrap().modules[0];
    let users: Vec<_> = server.digest_users().map(|(n, p)| (n, p.reveal())).collect();
    assert_eq!(users, [("bob", "c"), ("super", "a\"b")]);
    let client = &jaas.section("Client").unwrap().modules[0];
    assert_eq!(client.digest_login().map(|(n, p)| (n, p.reveal())), Some(("bob", "c")));
    assert_eq!(server.digest_login(), None);
    assert_eq!(server.kerberos(), None);
    assert!(!format!("{jaas:?}").contains("a\"b"));
}

#[test]
fn an_error_names_its_line_and_what_was_expected() {
    let error = |text: &str| read(text).map_err(|e| (e.line, e.what)).unwrap_err();
    assert_eq!(error("A {\n x.Y required\n a=1\n}"), (4, "an option or ;".to_owned()));
    assert_eq!(error("A {\n x.Y needed;\n};").0, 2);
    assert_eq!(error("A {\n x.Y required a=\"1\n\"; };").0, 2);
    assert_eq!(error("A { };\nA { };"), (2, "section A only once".to_owned()));
    assert_eq!(error("A { x required p=${nope}; };").1, "a value for ${nope}");
    assert_eq!(error("A { } B"), (1, "a ;".to_owned()));
    assert_eq!(error("/* A").1, "the end of a comment");
    assert_eq!(read("").unwrap(), Jaas::default());
}

#[test]
fn a_path_may_be_a_url() {
    for text in ["/a/b", "file:/a/b", "file:///a/b", "file://a/b", "FILE:/a/b"] {
        assert_eq!(path(text), PathBuf::from("/a/b"), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "[ \\n{};=\"\\\\$a-c#/*]{0,60}|\\PC{0,80}") {
        let _ = read(&text);
    }

    #[test]
    fn options_come_back(options in proptest::collection::btree_map("[a-zA-Z_]{1,8}", "[^\"\\\\$\\n]{0,12}", 0..6)) {
        let list: String = options.iter().map(|(k, v)| format!(" {k}=\"{v}\"")).collect();
        let jaas = read(&format!("S {{ m.M optional{list}; }};")).unwrap();
        let read = &jaas.sections[0].modules[0].options;
        let read: BTreeMap<String, String> =
            read.iter().map(|(k, v)| (k.clone(), v.reveal().to_owned())).collect();
        prop_assert_eq!(read, options);
    }
}

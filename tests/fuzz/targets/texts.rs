//! What people, clients and configuration files write as text.

/// Texts that clients send: paths, scheme and id, digests.
pub mod names {
    use oxkeeper::auth::{DigestAlgorithm, Providers};
    use oxkeeper::types::path;

    fn providers() -> Providers {
        Providers { digest: Some(DigestAlgorithm::Sha1), x509: true, sasl: true, ..Default::default() }
    }

    pub fn decode(data: &[u8]) -> bool {
        let text = String::from_utf8_lossy(data);
        let (scheme, id) = text.split_once(' ').unwrap_or((&text, ""));
        path::validate(&text).is_ok() | providers().valid(scheme, id)
    }

    pub fn check(data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        if path::validate(&text).is_ok() {
            assert_eq!(path::validate_create(&text, false), Ok(()));
            match path::split(&text) {
                Some((parent, name)) => {
                    assert_eq!(path::validate(parent), Ok(()));
                    assert!(!name.is_empty() && !name.contains('/'));
                    assert_eq!(format!("{}/{name}", parent.trim_end_matches('/')), text);
                    assert!(path::top(&text).is_some_and(|top| text[1..].starts_with(top)));
                }
                None => assert_eq!(text, "/"),
            }
        }
        let _ = (path::validate_create(&text, true), path::split(&text), path::top(&text));
        let (scheme, id) = text.split_once(' ').unwrap_or((&text, ""));
        let providers = providers();
        let _ = providers.valid(scheme, id);
        for who in ["10.0.0.1", "0:0:0:0:0:0:0:1", "user:hash"] {
            let _ = providers.matches(scheme, who, id);
        }
        let from = std::net::Ipv4Addr::LOCALHOST.into();
        assert_eq!(
            providers.authenticate(scheme, id.as_bytes(), from, &[]),
            providers.authenticate(scheme, id.as_bytes(), from, &[])
        );
    }
}

/// A Kerberos name and what the usual rules make of it.
pub mod principals {
    use oxkeeper::auth::names::{NamePolicy, Principal};
    use oxkeeper::config::settings::Auth;

    const RULES: &str = r"RULE:[2:$1@$0](nn@R)s/.*/hdfs/ RULE:[1:$1.$0]([a-m].*)s/(.)\.R/$1$1/g/L DEFAULT";

    fn policy() -> &'static NamePolicy {
        static POLICY: std::sync::OnceLock<NamePolicy> = std::sync::OnceLock::new();
        POLICY.get_or_init(|| {
            let auth = Auth { auth_to_local: RULES.to_owned(), ..Auth::default() };
            NamePolicy::new(&auth, Some("R")).expect("good rules")
        })
    }

    pub fn decode(data: &[u8]) -> bool {
        Principal::parse(&String::from_utf8_lossy(data)).is_ok()
    }

    pub fn check(data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        let name = Principal::parse(&text);
        if let Ok(name) = &name {
            assert_eq!(name.to_string(), text);
        }
        let explained = policy().explain(&text);
        assert_eq!(explained.outcome, policy().id_of(&text));
        if let Ok(id) = explained.outcome {
            assert!(name.is_ok_and(|n| n.realm == "R") && id.ends_with("@R") && id != "super");
        }
        let _ = policy().id_of_user(&text);
    }
}

/// Rules of auth_to_local.
pub mod rules {
    use oxkeeper::auth::names::NamePolicy;
    use oxkeeper::config::settings::Auth;

    fn policy(data: &[u8]) -> Option<NamePolicy> {
        let auth = Auth { auth_to_local: String::from_utf8_lossy(data).into_owned(), ..Auth::default() };
        NamePolicy::new(&auth, Some("R")).ok()
    }

    pub fn decode(data: &[u8]) -> bool {
        policy(data).is_some()
    }

    pub fn check(data: &[u8]) {
        let Some(policy) = policy(data) else { return };
        for name in ["bob@R", "nn/host.example.com@R", "bob@OTHER", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@R"]
        {
            if let Ok(id) = policy.id_of(name) {
                assert!(id.len() < 4096 && id.contains('@') && !id.starts_with(['/', '@']));
            }
        }
    }
}

/// The first four bytes of a connection, and a whitelist of words behind them.
pub mod words {
    use oxkeeper::admin::{Whitelist, Word};
    use oxkeeper::config::settings::FourLw;

    fn read(data: &[u8]) -> Option<(Option<Word>, FourLw)> {
        let (first, list) = data.split_first_chunk::<4>()?;
        let list = String::from_utf8_lossy(list);
        let words = list.split(',').map(|w| w.trim().to_owned()).collect();
        Some((Word::parse(*first), FourLw::Only(words)))
    }

    pub fn decode(data: &[u8]) -> bool {
        read(data).is_some()
    }

    pub fn check(data: &[u8]) {
        let Some((word, setting)) = read(data) else { return };
        if let Some(word) = word.filter(|w| *w != Word::TelnetClose) {
            assert_eq!(word.name().as_bytes(), &data[..4]);
        }
        let list = Whitelist::new(&setting, false);
        for word in Word::ALL {
            assert_eq!(list.allows(*word), *word == Word::Srvr || setting.allows(word.name()));
        }
    }
}

/// A connect string.
pub mod servers {
    use oxkeeper::client::ConnectString;

    pub fn decode(data: &[u8]) -> bool {
        ConnectString::parse(&String::from_utf8_lossy(data)).is_ok()
    }

    pub fn check(data: &[u8]) {
        let Ok(parsed) = ConnectString::parse(&String::from_utf8_lossy(data)) else { return };
        let hosts: Vec<String> = parsed.servers.iter().map(ToString::to_string).collect();
        let again = format!("{}{}", hosts.join(","), parsed.chroot);
        assert_eq!(ConnectString::parse(&again).as_ref(), Ok(&parsed), "{again:?}");
        for path in ["/", "/a", "/a/b"] {
            assert_eq!(parsed.strip(&parsed.prepend(path)), path);
        }
    }
}

/// The value of a `server.N` line, and a dynamic configuration.
pub mod members {
    use oxkeeper::config::quorum::{Ensemble, Member, parse_member, version_of_file_name};
    use oxkeeper::config::{Findings, Place};

    pub fn decode(data: &[u8]) -> bool {
        let text = String::from_utf8_lossy(data);
        parse_member(&text).is_ok() | ensemble(&text).is_some()
    }

    /// Addresses are written in this order.
    fn sort(member: &mut Member) {
        member.addresses.sort_by(|a, b| a.host.cmp(&b.host));
    }

    /// Lines `key=value`.
    fn ensemble(text: &str) -> Option<Ensemble> {
        let place = Place::default();
        let mut findings = Findings::default();
        let entries = text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k, v, &place));
        let read = Ensemble::read(entries, true, &mut findings);
        read.check_groups(&place, &mut findings);
        assert!(read.voters() <= read.members.len());
        (!findings.has_errors()).then_some(read)
    }

    pub fn check(data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        let _ = version_of_file_name(&text);
        if let Ok(mut member) = parse_member(&text) {
            sort(&mut member);
            let again = member.to_string();
            assert_eq!(parse_member(&again).as_ref(), Ok(&member), "{again:?}");
        }
        if let Some(mut read) = ensemble(&text) {
            read.members.values_mut().for_each(sort);
            let mut again = String::new();
            for (id, member) in &read.members {
                again += &format!("server.{id}={member}\n");
            }
            let members = ensemble(&again).expect("what we write, we read").members;
            assert_eq!(members, read.members, "{again:?}");
        }
    }
}

/// A line of the shell, an ACL, and the shell's own arguments.
pub mod command {
    use oxkeeper::cli::shell::{acl, understand, understand_arguments};

    pub fn decode(data: &[u8]) -> bool {
        let text = String::from_utf8_lossy(data);
        understand(&text).is_ok() | !acl::parse(&text).0.is_empty()
    }

    pub fn check(data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        if let Ok(words) = understand(&text) {
            assert!(words.iter().all(|w| text.contains(w.as_str()) || w == "-w"));
        }
        let (list, complaints) = acl::parse(&text);
        assert!(list.len() + complaints.len() >= text.split(',').count());
        let letters = |bits: i32| -> String {
            [(1, 'r'), (2, 'w'), (4, 'c'), (8, 'd'), (16, 'a')]
                .iter()
                .filter(|(bit, _)| bits & bit != 0)
                .map(|(_, letter)| *letter)
                .collect()
        };
        let again: Vec<String> =
            list.iter().map(|a| format!("{}:{}:{}", a.id.scheme, a.id.id, letters(a.perms))).collect();
        if !list.is_empty() {
            assert_eq!(acl::parse(&again.join(",")), (list, Vec::new()));
        }
        let arguments: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let _ = understand_arguments(&arguments);
    }
}

/// A properties file.
pub mod properties {
    use oxkeeper::config::properties::parse_properties;

    pub fn decode(data: &[u8]) -> bool {
        parse_properties(data).is_ok()
    }

    /// Every character as an escape: nothing in it means anything else.
    fn escaped(text: &str) -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
    }

    pub fn check(data: &[u8]) {
        let Ok(entries) = parse_properties(data) else { return };
        assert!(entries.len() <= data.len());
        let mut again = String::new();
        for e in &entries {
            again += &format!("{}={}\n", escaped(&e.key), escaped(&e.value));
        }
        // The bound of a file's size is not that of its escaped form.
        if again.len() > data.len().max(64 << 10) {
            return;
        }
        let back = parse_properties(again.as_bytes()).expect("escapes are properties");
        let pair = |e: &oxkeeper::config::properties::Entry| (e.key.clone(), e.value.clone());
        assert_eq!(back.iter().map(pair).collect::<Vec<_>>(), entries.iter().map(pair).collect::<Vec<_>>());
    }
}

/// A line of JVM flags, and the same text as java.env.
pub mod flags {
    use oxkeeper::config::{flags, shell};

    fn home(name: &str) -> Option<String> {
        (name == "H").then(|| "home".to_owned())
    }

    pub fn decode(data: &[u8]) -> bool {
        let text = String::from_utf8_lossy(data);
        let assigned = shell::parse_assignments(&text, &home);
        let taken = !flags::parse_flags(&text).is_empty();
        drop(assigned);
        taken
    }

    pub fn check(data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        let all = flags::parse_flags(&text);
        assert!(all.len() <= text.len());
        assert_eq!(flags::parse_flags(&text), all);
        let _ = shell::parse_assignments(&text, &home);
        let (key, value) = flags::parse_property(&text);
        assert!(key.len() + value.len() <= text.len());
    }
}

/// A JAAS file.
pub mod jaas {
    use oxkeeper::config::jaas::parse_jaas;

    fn home(name: &str) -> Option<String> {
        (name == "user.home").then(|| "/home".to_owned())
    }

    pub fn decode(data: &[u8]) -> bool {
        parse_jaas(&String::from_utf8_lossy(data), &home).is_ok()
    }

    pub fn check(data: &[u8]) {
        let Ok(jaas) = parse_jaas(&String::from_utf8_lossy(data), &home) else { return };
        for module in jaas.sections.iter().flat_map(|s| &s.modules) {
            let _ = (module.kerberos(), module.digest_users().count(), module.digest_login());
        }
    }
}

/// zoo.cfg, java.env, a JAAS file and a dynamic configuration, joined by NUL.
pub mod config {
    use oxkeeper::config::{Files, Loaded, Request, load};
    use std::path::Path;

    struct Joined<'a>(Vec<&'a [u8]>);

    impl Files for Joined<'_> {
        fn read(&self, path: &Path, _: usize) -> Result<Option<Vec<u8>>, String> {
            let part = match path.file_name().and_then(|n| n.to_str()).unwrap_or_default() {
                "zoo.cfg" => 0,
                "java.env" => 1,
                "jaas" => 2,
                name if name.starts_with("dynamic") => 3,
                "myid" => return Ok(Some(b"1".to_vec())),
                _ => return Ok(None),
            };
            Ok(self.0.get(part).map(|bytes| bytes.to_vec()))
        }
    }

    fn read(data: &[u8]) -> Loaded {
        let files = Joined(data.splitn(4, |&b| b == 0).collect());
        load(&Request::file("/c/zoo.cfg"), &files)
    }

    pub fn decode(data: &[u8]) -> bool {
        read(data).settings.is_some()
    }

    pub fn check(data: &[u8]) {
        let loaded = read(data);
        assert_eq!(loaded.settings.is_some(), !loaded.findings.has_errors());
    }
}

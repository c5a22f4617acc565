//! What comes in at the HTTP ports, behind hyper's own parser.

/// `path?query` of a request and below it header lines: what is asked for, and by whom.
pub mod http {
    use oxkeeper::auth::{DigestAlgorithm, Providers};
    use oxkeeper::config::settings::{AdminAuth, Settings};
    use oxkeeper::limits::HTTP_PARAMETERS;
    use oxkeeper::net::http::target::{self, Target};
    use oxkeeper::net::http::{Asked, Body, HeaderMap, HeaderName, HeaderValue, Method};
    use oxkeeper::server::admin::identity::Gatekeeper;

    /// Nobody of the corpus knows the password of this one.
    const READER: &str = "digest:nobody:bm90IGEgaGFzaCBvZiBhbnl0aGluZw==";

    fn gatekeeper() -> Gatekeeper {
        let digest = Settings::default().admin.auth;
        let auth = AdminAuth { digest: true, readers: vec![READER.to_owned()], ..digest };
        let providers = Providers { digest: Some(DigestAlgorithm::Sha1), x509: true, ..Default::default() };
        Gatekeeper::new(&auth, &providers, None, None)
    }

    fn of_line(line: &[u8]) -> Option<Target> {
        let line = std::str::from_utf8(line).ok()?;
        let (path, query) = line.split_once('?').map_or((line, None), |(path, query)| (path, Some(query)));
        target::read(path, query).ok()
    }

    /// A request; none where the target or a header is refused.
    fn asked(data: &[u8]) -> Option<Asked> {
        let mut lines = data.split(|b| *b == b'\n');
        let Target { path, query } = of_line(lines.next()?)?;
        let mut headers = HeaderMap::new();
        for line in lines.take(oxkeeper::limits::HTTP_HEADERS) {
            let at = line.iter().position(|b| *b == b':')?;
            let (name, value) = (line.get(..at)?, line.get(at + 1..)?.trim_ascii());
            headers.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        let peer = ([127, 0, 0, 1], 40_000).into();
        let (method, body) = (Method::GET, Body::default());
        Some(Asked { method, path, query, headers, body, peer, secure: true, certificate: None })
    }

    pub fn decode(data: &[u8]) -> bool {
        asked(data).is_some()
    }

    pub fn check(data: &[u8]) {
        let first = data.split(|b| *b == b'\n').next().unwrap_or_default();
        if let Some(whole) = of_line(first) {
            stays_in_its_place(first, &whole);
        }
        let Some(mut asked) = asked(data) else { return };
        let gatekeeper = gatekeeper();
        let who = |asked: &Asked| match gatekeeper.identify(asked) {
            // Whoever is known by a password he chose himself has no role.
            Ok(Some(known)) => {
                assert_eq!(known.role, None);
                Ok(Some((known.name, known.ids)))
            }
            Ok(None) => Ok(None),
            Err(refusal) => Err(refusal.reason),
        };
        let before = who(&asked);
        for (name, value) in [
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1;proto=https"),
            ("x-ssl-client-s-dn", "CN=super"),
            ("remote-user", "super"),
        ] {
            asked.headers.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(who(&asked), before, "headers that claim somebody are never consulted");
    }

    fn stays_in_its_place(line: &[u8], whole: &Target) {
        let Target { path, query } = whole;
        assert!(path.starts_with('/') && path.split('/').all(|s| s != "." && s != ".."), "{path:?}");
        assert!(!path.chars().any(|c| c.is_control() || c == '\\'), "{path:?}");
        let raw = line.split(|b| *b == b'?').next().unwrap_or_default();
        assert_eq!(path.matches('/').count(), raw.iter().filter(|b| **b == b'/').count(), "{path:?}");
        assert!(query.len() <= HTTP_PARAMETERS);
        // Written with every byte escaped it is the same.
        let escape = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let again: String = path.split('/').skip(1).map(|s| format!("/{}", escape(s))).collect();
        let parts: Vec<_> = query.iter().map(|(n, v)| format!("{}={}", escape(n), escape(v))).collect();
        let again = target::read(&again, Some(&parts.join("&"))).expect("what we take, we take");
        assert_eq!(again, *whole);
    }
}

//! What is asked for: path and query, percent-decoded once and judged.
//!
//! # Invariants
//!
//! * A path begins with `/`, has no `.` and `..` segments, no control characters, no backslash, and no
//!   slash that was encoded.
//! * Decoding never fails half way: a request is taken whole or refused.

use crate::limits::HTTP_PARAMETERS;

/// Path and query of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Decoded.
    pub path: String,
    /// Names and values, decoded, in order.
    pub query: Vec<(String, String)>,
}

/// Reads path and query as they stand in a request.
///
/// # Errors
///
/// What is wrong, for the client.
pub fn read(path: &str, query: Option<&str>) -> Result<Target, &'static str> {
    if !path.starts_with('/') {
        return Err("the request must name a path");
    }
    let mut segments = Vec::new();
    for raw in path.split('/').skip(1) {
        let segment = decode(raw, false)?;
        if segment == "." || segment == ".." {
            return Err("the path has dot segments");
        }
        if segment.contains(['/', '\\']) || segment.chars().any(char::is_control) {
            return Err("the path has characters that are not allowed in it");
        }
        segments.push(segment);
    }
    let path = segments.iter().flat_map(|segment| ["/", segment]).collect();
    let query = query.map(parameters).transpose()?.unwrap_or_default();
    Ok(Target { path, query })
}

/// `name=value&name=value`.
fn parameters(query: &str) -> Result<Vec<(String, String)>, &'static str> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let mut read = Vec::new();
    for part in parts {
        if read.len() == HTTP_PARAMETERS {
            return Err("the query has too many parameters");
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        read.push((decode(name, true)?, decode(value, true)?));
    }
    Ok(read)
}

/// Decodes `%XX`, and in forms `+`.
fn decode(text: &str, form: bool) -> Result<String, &'static str> {
    const ESCAPE: &str = "a percent sign is not followed by two hexadecimal digits";
    let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).ok_or(ESCAPE);
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
                u8::try_from(value).map_err(|_| ESCAPE)?
            }
            b'+' if form => b' ',
            byte => byte,
        });
    }
    let decoded = String::from_utf8(decoded).map_err(|_| "the request is not UTF-8")?;
    if decoded.contains('\0') {
        return Err("the request has a zero byte");
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_and_queries_are_decoded_once() {
        let target = read("/commands/stmk", Some("traceMask=3%30+6&x&y=%2Fa%2525")).expect("fine");
        assert_eq!(target.path, "/commands/stmk");
        let query: Vec<_> = target.query.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(query, [("traceMask", "30 6"), ("x", ""), ("y", "/a%25")]);
        assert_eq!(read("/", None).expect("fine").path, "/");
        assert_eq!(read("/a%20b/", None).expect("fine").path, "/a b/");
    }

    #[test]
    fn paths_that_mean_another_place_are_refused() {
        for path in [
            "/../etc",
            "/commands/..",
            "/./x",
            "/%2e%2e/x",
            "/a/%2E/b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/%00",
            "/a%0d",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "*",
            "",
            "http://x/",
        ] {
            assert!(read(path, None).is_err(), "{path}");
        }
        let many: String = (0..=HTTP_PARAMETERS).map(|n| format!("{n}=1&")).collect();
        assert!(read("/", Some(&many)).is_err());
        assert!(read("/", Some("a=%0")).is_err());
    }

    proptest! {
        #[test]
        fn whatever_comes_a_path_stays_in_its_place(path in "[/.%2eEfF5cC\\\\a-c0 \u{0}-\u{20}]{0,24}", query in ".{0,64}") {
            if let Ok(target) = read(&path, Some(&query)) {
                prop_assert!(target.path.starts_with('/'));
                prop_assert!(target.path.split('/').all(|s| s != "." && s != ".."));
                prop_assert!(!target.path.chars().any(|c| c.is_control() || c == '\\'));
                prop_assert_eq!(target.path.matches('/').count(), path.matches('/').count());
                prop_assert!(target.query.len() <= HTTP_PARAMETERS);
            }
        }
    }
}

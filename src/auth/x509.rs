//! Identities of clients that showed a certificate (`X509AuthenticationProvider`), and such names in ACLs.
//!
//! # Invariants
//!
//! * The name is compared as a whole and exactly. It comes from a verified certificate, never
//!   from an auth packet.

use crate::types::Id;

/// What a client with a certificate for `name` (RFC 2253, as Java prints it) is: `x509:<name>`, and
/// `super` in front of it for the name of `X509AuthenticationProvider.superUser`.
pub fn identities(name: &str, super_user: Option<&str>) -> Vec<Id> {
    let mut ids = Vec::with_capacity(2);
    if super_user == Some(name) {
        ids.push(Id::new("super", name));
    }
    ids.push(Id::new("x509", name));
    ids
}

/// Keywords of attributes that Java knows (`AVAKeyword`), in capitals.
const KEYWORDS: [&str; 21] = [
    "CN",
    "C",
    "L",
    "S",
    "ST",
    "O",
    "OU",
    "T",
    "IP",
    "STREET",
    "DC",
    "DNQUALIFIER",
    "DNQ",
    "SURNAME",
    "GIVENNAME",
    "INITIALS",
    "GENERATION",
    "EMAIL",
    "EMAILADDRESS",
    "UID",
    "SERIALNUMBER",
];

/// What may stand behind a backslash, beside two hexadecimal digits.
const ESCAPED: &str = ",+<>#;\"\\= ";

/// Is `id` a name that Java's `X500Principal` takes, so that an ACL may hold it? Attributes with known
/// keywords or numbers, values escaped or in quotes, separated by `,`, `;` and `+`.
pub fn valid(id: &str) -> bool {
    if id.trim().is_empty() {
        return id.is_empty();
    }
    let mut rest = id;
    loop {
        let Some((keyword, value)) = rest.split_once('=') else { return false };
        if !valid_keyword(keyword.trim()) {
            return false;
        }
        match end_of_value(value) {
            Some((_, None)) => return true,
            Some((_, Some(next))) => rest = next,
            None => return false,
        }
    }
}

fn valid_keyword(keyword: &str) -> bool {
    let upper = keyword.to_ascii_uppercase();
    if KEYWORDS.contains(&upper.as_str()) {
        return true;
    }
    let numbers = upper.strip_prefix("OID.").unwrap_or(&upper);
    let mut arcs = numbers.split('.').map(|arc| arc.parse::<u32>().ok().filter(|_| !arc.starts_with('+')));
    match (arcs.next().flatten(), arcs.next().flatten()) {
        (Some(0 | 1), Some(second)) => second < 40 && arcs.all(|arc| arc.is_some()),
        (Some(2), Some(_)) => arcs.all(|arc| arc.is_some()),
        _ => false,
    }
}

/// A value, and what follows its separator; `None` where it is malformed.
fn end_of_value(text: &str) -> Option<(&str, Option<&str>)> {
    let trimmed = text.trim_start_matches(' ');
    if let Some(hex) = trimmed.strip_prefix('#') {
        let end = hex.find([',', ';', '+']).unwrap_or(hex.len());
        let digits = hex.get(..end)?.trim_end();
        let good =
            !digits.is_empty() && digits.len() % 2 == 0 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        return good.then(|| (digits, hex.get(end + 1..)));
    }
    let mut chars = trimmed.char_indices();
    let quoted = trimmed.starts_with('"');
    if quoted {
        chars.next();
    }
    let mut open = quoted;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let (_, next) = chars.next()?;
                let pair = next.is_ascii_hexdigit() && chars.next()?.1.is_ascii_hexdigit();
                if !pair && !ESCAPED.contains(next) {
                    return None;
                }
            }
            '"' if open => open = false,
            _ if open => {}
            ',' | ';' | '+' => return Some((trimmed.get(..at)?, trimmed.get(at + 1..))),
            '<' | '>' | '"' => return None,
            ' ' => {}
            _ if quoted => return None, // text behind the closing quote
            _ => {}
        }
    }
    (!open).then_some((trimmed, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_super_user_is_the_whole_name_alone() {
        let admin = "CN=admin,O=zk";
        assert_eq!(identities(admin, None), [Id::new("x509", admin)]);
        assert_eq!(identities(admin, Some(admin)), [Id::new("super", admin), Id::new("x509", admin)]);
        for other in ["CN=admin", "cn=admin,O=zk", "CN=admin,O=zk,C=DE", ""] {
            assert_eq!(identities(other, Some(admin)), [Id::new("x509", other)], "{other}");
        }
    }

    /// The verdicts of `new X500Principal(id)` of Java 17.
    #[test]
    fn names_of_acls_are_judged_as_java_does() {
        for good in [
            "",
            "CN=a",
            "CN=a,O=b",
            "O=Example\\, Inc.",
            "CN=a+OU=b",
            "CN=a;O=b",
            "CN=",
            "1.2.3=#0c0178",
            "OID.1.2.3=a",
            "1.2.3=a",
            "CN=#0c0178",
            "CN=\"a,b\"",
            "CN=a=b",
            "CN=a\\2Cb",
            "cn=a",
            " CN = a , O = b ",
            "T=x",
            "serialNumber=1",
            "EMAILADDRESS=a@b",
            "DNQ=x",
            "CN=\\#a",
            "UID=x,DC=y",
            "2.999.3=a",
            "IP=1.2.3.4",
            "CN=\u{e9}",
            "CN=\\ a\\ ",
            "INITIALS=x",
            "SURNAME=s",
            "GENERATION=x",
            "STREET=a",
            "S=a",
            "CN= ",
            "1.2.3=",
            "CN=\"\"",
            "CN=a\\\"b",
            "CN=\\C3\\A9",
        ] {
            assert!(valid(good), "{good}");
        }
        for bad in [
            "CN=a,",
            "=a",
            "CN",
            "XX=a",
            "3.2=a",
            "CN=#0",
            "CN=#zz",
            "CN=\"a,b\"x",
            "CN=\"a",
            "CN=a<b",
            "CN=a\\",
            "CN=a\\2",
            "CN=a\\z",
            "TITLE=x",
            "SN=x",
            "GN=x",
            "E=a@b",
            "CN=a\"b",
            "CN=#a b",
            " ",
            "CN=a,,O=b",
            "CN=a+,O=b",
            "1=a",
            "1.=a",
            "MAIL=a",
            "1.50.3=a",
        ] {
            assert!(!valid(bad), "{bad}");
        }
    }
}

//! Encryption types by their names in krb5.conf.
//!
//! # Invariants
//!
//! * Names that are not known change nothing, as in libkrb5.

use crate::kerberos::keytab::enctype_name;
use crate::kerberos::krb5_conf::Krb5Conf;

/// libkrb5's own list (1.20), best first; weak ones are left out unless krb5.conf names them.
const DEFAULT: [i32; 6] = [18, 17, 20, 19, 25, 26];
/// Types that a KDC is asked for one by one to see what keys a principal has.
pub const ALL: [i32; 8] = [18, 17, 20, 19, 26, 25, 23, 16];
/// Types that current Java and Kerberos releases refuse.
pub const WEAK: [i32; 5] = [1, 3, 16, 23, 24];

/// The types that this machine's clients take, from `permitted_enctypes`, and whether it is set.
pub fn permitted(conf: &Krb5Conf) -> (Vec<i32>, bool) {
    match conf.first(&["libdefaults", "permitted_enctypes"]) {
        Some(list) => (parse(list), true),
        None => (DEFAULT.to_vec(), false),
    }
}

fn parse(list: &str) -> Vec<i32> {
    let mut found: Vec<i32> = Vec::new();
    for word in list.split([' ', '\t', ',']).filter(|w| !w.is_empty()) {
        let (take, name) = match word.strip_prefix('-') {
            Some(name) => (false, name),
            None => (true, word.strip_prefix('+').unwrap_or(word)),
        };
        for enctype in named(name) {
            match (take, found.contains(&enctype)) {
                (true, false) => found.push(enctype),
                (false, _) => found.retain(|&e| e != enctype),
                (true, true) => {}
            }
        }
    }
    found
}

fn named(name: &str) -> Vec<i32> {
    match name.to_ascii_lowercase().as_str() {
        "default" => DEFAULT.to_vec(),
        "aes" => vec![18, 17, 20, 19],
        "aes256-cts-hmac-sha1-96" | "aes256-cts" | "aes256-sha1" => vec![18],
        "aes128-cts-hmac-sha1-96" | "aes128-cts" | "aes128-sha1" => vec![17],
        "aes256-cts-hmac-sha384-192" | "aes256-sha2" => vec![20],
        "aes128-cts-hmac-sha256-128" | "aes128-sha2" => vec![19],
        "camellia" => vec![26, 25],
        "camellia256-cts-cmac" | "camellia256-cts" => vec![26],
        "camellia128-cts-cmac" | "camellia128-cts" => vec![25],
        "rc4" | "arcfour-hmac" | "rc4-hmac" | "arcfour-hmac-md5" => vec![23],
        "des3" | "des3-cbc-sha1" | "des3-hmac-sha1" | "des3-cbc-sha1-kd" => vec![16],
        _ => Vec::new(),
    }
}

/// Names with commas between them, or `none`.
pub fn listed(types: &[i32]) -> String {
    match types {
        [] => "none".to_owned(),
        types => types.iter().map(|&e| enctype_name(e)).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_libkrb5_reads_them() {
        assert_eq!(parse("aes256-cts, aes128-cts"), [18, 17]);
        assert_eq!(parse("DEFAULT -aes128-cts +rc4 unheard-of"), [18, 20, 19, 25, 26, 23]);
        assert_eq!(listed(&[]), "none");
        assert_eq!(listed(&[18]), "aes256-cts-hmac-sha1-96");
    }
}

//! The shape of Kerberos names: `primary@REALM` or `primary/instance@REALM`.
//!
//! # Invariants
//!
//! * One text is one name. Where libkrb5 writes an escape, a component holds a separator or a control
//!   character, and the same text could be read as another name by somebody who does not know escapes
//!   (ZooKeeper's `KerberosName` does not): such names are refused.
//! * Total; linear in a text bounded by [`PRINCIPAL_MAX`].

use crate::limits::PRINCIPAL_MAX;
use std::fmt;

/// A name of one or two components with a realm; no part is empty.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Principal {
    /// First component.
    pub primary: String,
    /// Second component: the host, for services.
    pub instance: Option<String>,
    /// Realm. Its case counts.
    pub realm: String,
}

/// Why a text is no name of that shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadShape {
    /// Longer than [`PRINCIPAL_MAX`] bytes.
    TooLong,
    /// There is no realm.
    NoRealm,
    /// The realm holds a separator.
    BadRealm,
    /// There are more than two components.
    TooManyComponents,
    /// A component or the realm is empty.
    Empty,
    /// A backslash: a component that holds `/`, `@`, a backslash or a control character.
    Escape,
    /// A control character or a line separator.
    Control,
    /// Bytes that were no UTF-8: a replacement character stands for them, and other names would look alike.
    NotText,
}

impl fmt::Display for BadShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadShape::TooLong => "the name is too long",
            BadShape::NoRealm => "the name has no realm",
            BadShape::BadRealm => "the realm holds a separator",
            BadShape::TooManyComponents => "the name has more than two components",
            BadShape::Empty => "a part of the name is empty",
            BadShape::Escape => "a component of the name holds an escaped character",
            BadShape::Control => "the name holds a control character",
            BadShape::NotText => "the name is not UTF-8",
        })
    }
}

/// Characters that end a line somewhere, or are shown as none.
pub(super) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

impl Principal {
    /// Reads a full name.
    ///
    /// # Errors
    ///
    /// [`BadShape`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Principal, BadShape> {
        if text.len() > PRINCIPAL_MAX {
            return Err(BadShape::TooLong);
        }
        if text.chars().any(is_control) {
            return Err(BadShape::Control);
        }
        if text.contains('\u{fffd}') {
            return Err(BadShape::NotText);
        }
        if text.contains('\\') {
            return Err(BadShape::Escape);
        }
        let (name, realm) = text.split_once('@').ok_or(BadShape::NoRealm)?;
        if realm.contains(['@', '/']) {
            return Err(BadShape::BadRealm);
        }
        let mut components = name.split('/');
        let primary = components.next().unwrap_or_default();
        let instance = components.next();
        if components.next().is_some() {
            return Err(BadShape::TooManyComponents);
        }
        if primary.is_empty() || instance == Some("") || realm.is_empty() {
            return Err(BadShape::Empty);
        }
        Ok(Principal {
            primary: primary.to_owned(),
            instance: instance.map(str::to_owned),
            realm: realm.to_owned(),
        })
    }

    /// Realm, primary and instance, as the numbers `$0` to `$2` of a rule mean them.
    pub(super) fn parts(&self) -> Vec<&str> {
        let named = [self.realm.as_str(), self.primary.as_str()];
        named.into_iter().chain(self.instance.as_deref()).collect()
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.primary)?;
        if let Some(instance) = &self.instance {
            write!(f, "/{instance}")?;
        }
        write!(f, "@{}", self.realm)
    }
}

/// May an ACL's entry of scheme `sasl` hold this id? The reference takes whatever its name parser
/// takes: any text without `@`, or at most two components and one realm, parts possibly empty.
pub(in crate::auth) fn valid_acl_id(id: &str) -> bool {
    let Some((name, realm)) = id.split_once('@') else { return true };
    name.matches('/').count() <= 1 && !realm.contains(['@', '/'])
}

/// The first component and the realm of an id of scheme `sasl`.
pub(in crate::auth) fn short_and_realm(id: &str) -> (&str, Option<&str>) {
    let (name, realm) = match id.split_once('@') {
        Some((name, realm)) => (name, Some(realm)),
        None => (id, None),
    };
    (name.split('/').next().unwrap_or_default(), realm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_shapes_are_taken_and_come_back_as_they_were() {
        for good in ["hdfs@R", "hdfs/hadoop.r.com@R.COM", "a b@R", "ü@R", "72C0CF82_CD45@72C0_CF"] {
            assert_eq!(Principal::parse(good).map(|p| p.to_string()), Ok(good.to_owned()), "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_its_reason() {
        for (bad, why) in [
            ("", BadShape::NoRealm),
            ("hdfs", BadShape::NoRealm),
            ("hdfs/h", BadShape::NoRealm),
            ("a/b/c@R", BadShape::TooManyComponents),
            ("a/b/@R", BadShape::TooManyComponents),
            ("@R", BadShape::Empty),
            ("/h@R", BadShape::Empty),
            ("a/@R", BadShape::Empty),
            ("a@", BadShape::Empty),
            ("a@R@S", BadShape::BadRealm),
            ("a@R/S", BadShape::BadRealm),
            (r"a\/b@R", BadShape::Escape),
            (r"a\@S@R", BadShape::Escape),
            ("a\n@R", BadShape::Control),
            ("a@R\0", BadShape::Control),
            ("a\u{2028}@R", BadShape::Control),
            ("a\u{fffd}@R", BadShape::NotText),
        ] {
            assert_eq!(Principal::parse(bad), Err(why), "{bad:?}");
        }
        assert_eq!(Principal::parse(&format!("{}@R", "a".repeat(PRINCIPAL_MAX))), Err(BadShape::TooLong));
    }

    #[test]
    fn ids_of_acls_are_taken_as_the_reference_takes_them() {
        for good in ["", "hdfs", "a/b/c", "hdfs/h@R", "@R", "a@", "a/@R", "/h"] {
            assert!(valid_acl_id(good), "{good}");
        }
        for bad in ["a/b/c@R", "a@R@S", "a@R/S", "@@"] {
            assert!(!valid_acl_id(bad), "{bad}");
        }
    }
}

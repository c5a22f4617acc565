//! Lists of `name=value` as challenges and responses carry them: RFC 2831, section 7.1.
//!
//! # Invariants
//!
//! * Total, one pass, bounded: [`DIGEST_TOKEN`] bytes and [`DIGEST_DIRECTIVES`] directives.
//! * Strict: a list that two readers could read in two ways is malformed.

use crate::limits::{DIGEST_DIRECTIVES, DIGEST_TOKEN};

/// What is wrong with a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

/// The directives of a list, in order; names in lower case.
pub struct Directives(Vec<(String, Vec<u8>)>);

impl Directives {
    /// Takes a list apart.
    pub fn parse(text: &[u8]) -> Result<Directives, Malformed> {
        if text.len() > DIGEST_TOKEN {
            return Err(Malformed("too long"));
        }
        let mut list = Vec::new();
        let mut rest = Rest(text);
        rest.separators();
        while !rest.0.is_empty() {
            if list.len() == DIGEST_DIRECTIVES {
                return Err(Malformed("too many directives"));
            }
            let name = rest.token().ok_or(Malformed("a directive without a name"))?;
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            rest.blanks();
            rest.mark(b'=').ok_or(Malformed("a directive without '='"))?;
            rest.blanks();
            let value = match rest.0.first() {
                Some(b'"') => rest.quoted()?,
                _ => rest.token().ok_or(Malformed("a directive without a value"))?.to_vec(),
            };
            list.push((name, value));
            rest.blanks();
            if !rest.0.is_empty() {
                rest.mark(b',').ok_or(Malformed("text behind a value"))?;
                rest.separators();
            }
        }
        Ok(Directives(list))
    }

    /// All values of a name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_slice())
    }

    /// The value of a name that may stand there once.
    pub fn one(&self, name: &str) -> Result<Option<&[u8]>, Malformed> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            Some(_) => Err(Malformed("a directive that is there twice")),
            None => Ok(first),
        }
    }

    /// The value of a name that must stand there once.
    pub fn required(&self, name: &str) -> Result<&[u8], Malformed> {
        self.one(name)?.ok_or(Malformed("a directive is missing"))
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn split(&mut self, at: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at_checked(at).unwrap_or((self.0, &[]));
        self.0 = tail;
        head
    }

    fn while_is(&mut self, is: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|b| !is(*b)).unwrap_or(self.0.len());
        self.split(end)
    }

    fn blanks(&mut self) {
        self.while_is(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    }

    /// Blanks and commas: empty elements of a list are allowed.
    fn separators(&mut self) {
        self.while_is(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b','));
    }

    fn mark(&mut self, mark: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[mark])?;
        Some(())
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let token = self.while_is(is_token);
        (!token.is_empty()).then_some(token)
    }

    /// A quoted string, the quote being next. A backslash stands for the byte behind it.
    fn quoted(&mut self) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::new();
        let mut bytes = self.0.iter().enumerate().skip(1);
        while let Some((at, byte)) = bytes.next() {
            let byte = match byte {
                b'"' => {
                    self.split(at + 1);
                    return Ok(out);
                }
                b'\\' => bytes.next().map(|(_, b)| *b).ok_or(Malformed("a backslash at the end"))?,
                byte => *byte,
            };
            if byte.is_ascii_control() {
                return Err(Malformed("a control character"));
            }
            out.push(byte);
        }
        Err(Malformed("a quote that is not closed"))
    }
}

/// Characters of a token (RFC 2616): no controls, no separators.
fn is_token(b: u8) -> bool {
    b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&b)
}

/// `name="value"` with what a quoted string wants escaped.
pub fn quote(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !out.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// `name=value` without quotes; the value is a token.
pub fn plain(out: &mut Vec<u8>, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_read_as_the_grammar_says() {
        let d = Directives::parse(b" , Realm=\"a \\\"b\\\\\" ,\tqop = auth,,charset=utf-8").unwrap();
        assert_eq!(d.one("realm"), Ok(Some(&b"a \"b\\"[..])));
        assert_eq!(d.required("qop"), Ok(&b"auth"[..]));
        assert_eq!(d.one("nonce"), Ok(None));
        assert!(Directives::parse(b"").unwrap().one("x").unwrap().is_none());
        let twice = Directives::parse(b"realm=a,realm=b").unwrap();
        assert!(twice.one("realm").is_err());
        assert_eq!(twice.all("realm").count(), 2);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for wrong in [
            "a",
            "=b",
            "a=",
            "a=\"b",
            "a=\"b\\",
            "a=\"b\"c",
            "a=b c",
            "a=\"\x01\"",
            "a=\"\\\x00\"",
            "a=b=c",
            "a=(b)",
        ] {
            assert!(Directives::parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(Directives::parse(&vec![b','; DIGEST_TOKEN + 1]).is_err());
        assert!(Directives::parse("a=b,".repeat(DIGEST_DIRECTIVES).as_bytes()).is_ok());
        assert!(Directives::parse("a=b,".repeat(DIGEST_DIRECTIVES + 1).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Directives::parse(&bytes);
        }

        #[test]
        fn what_is_quoted_is_read_back(value in "[ -~]{0,40}") {
            let mut out = Vec::new();
            plain(&mut out, "a", "b");
            quote(&mut out, "v", value.as_bytes());
            let read = Directives::parse(&out).unwrap();
            prop_assert_eq!(read.required("v").unwrap(), value.as_bytes());
        }
    }
}

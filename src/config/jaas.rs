//! JAAS login configuration: sections, login modules, options.
//!
//! ```text
//! Server {
//!   com.sun.security.auth.module.Krb5LoginModule required
//!   useKeyTab=true keyTab="/etc/zk.keytab" principal="zookeeper/host@REALM";
//! };
//! ```
//!
//! Comments are `//`, `/* */` and `#` after a blank; `${name}` in a value is a
//! system property, as in Java's `ConfigFile`. The forms of Sun's, IBM's and
//! ZooKeeper's own modules are understood (see [`LoginModule::kerberos`]).
//!
//! # Invariants
//!
//! * Total; linear in a text bounded by [`CONFIG_MAX_BYTES`].
//! * Option values are [`Secret`]s: any of them may be a password.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::limits::CONFIG_MAX_BYTES;

use super::finding::clip;
use super::secret::Secret;

/// A whole file: sections in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Jaas {
    /// The sections.
    pub sections: Vec<Section>,
}

/// One section, such as `Server`, `Client`, `QuorumServer` or `QuorumLearner`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Line it starts on.
    pub line: usize,
    /// Its login modules.
    pub modules: Vec<LoginModule>,
}

/// One login module with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginModule {
    /// Java class.
    pub class: String,
    /// `required` and the like.
    pub flag: Flag,
    /// Line it starts on.
    pub line: usize,
    /// Options by name.
    pub options: BTreeMap<String, Secret>,
}

/// How a module counts. Only the first module of a section is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Must succeed.
    Required,
    /// Must succeed, at once.
    Requisite,
    /// Enough when it succeeds.
    Sufficient,
    /// May fail.
    Optional,
}

/// Which module a class name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// Sun's or OpenJDK's Kerberos module.
    Kerberos,
    /// IBM's Kerberos module, with option names of its own.
    IbmKerberos,
    /// ZooKeeper's DIGEST-MD5 module.
    Digest,
    /// Anything else: there is no Java to run it.
    Other,
}

/// What a Kerberos module says, whichever vendor's form it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kerberos {
    /// `principal`.
    pub principal: Option<String>,
    /// `keyTab` with `useKeyTab=true`, or IBM's `useKeytab="file:..."`.
    pub keytab: Option<PathBuf>,
    /// `useTicketCache` (IBM: `useCcache` or `useDefaultCcache`).
    pub use_ticket_cache: bool,
    /// `ticketCache`.
    pub ticket_cache: Option<PathBuf>,
    /// `storeKey`, or IBM's `credsType` of `both` or `acceptor`: the key serves to accept.
    pub accepts: bool,
    /// `isInitiator` (IBM: `credsType` other than `acceptor`): tickets are asked for.
    pub initiates: bool,
}

/// Where and why a text is not a JAAS configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadJaas {
    /// Line, from 1.
    pub line: usize,
    /// What was expected.
    pub what: String,
}

impl Jaas {
    /// The section of this name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }
}

impl LoginModule {
    /// Which module it is.
    pub fn module(&self) -> Module {
        match self.class.rsplit('.').next() {
            Some("Krb5LoginModule") if self.class.starts_with("com.ibm.") => Module::IbmKerberos,
            Some("Krb5LoginModule") => Module::Kerberos,
            Some("DigestLoginModule") => Module::Digest,
            _ => Module::Other,
        }
    }

    /// What a Kerberos module says.
    pub fn kerberos(&self) -> Option<Kerberos> {
        let text = |name: &str| self.option(name).map(str::to_owned).filter(|t| !t.is_empty());
        let is = |name: &str| self.option(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
        match self.module() {
            Module::Kerberos => Some(Kerberos {
                principal: text("principal"),
                keytab: text("keyTab").filter(|_| is("useKeyTab")).map(|t| path(&t)),
                use_ticket_cache: is("useTicketCache"),
                ticket_cache: text("ticketCache").map(|t| path(&t)),
                accepts: is("storeKey") || is("useKeyTab"),
                initiates: !self.option("isInitiator").is_some_and(|v| v.eq_ignore_ascii_case("false")),
            }),
            Module::IbmKerberos => {
                let creds = self.option("credsType").unwrap_or("initiator").to_ascii_lowercase();
                Some(Kerberos {
                    principal: text("principal"),
                    keytab: text("useKeytab").map(|t| path(&t)),
                    use_ticket_cache: text("useCcache").is_some() || is("useDefaultCcache"),
                    ticket_cache: text("useCcache").map(|t| path(&t)),
                    accepts: creds == "both" || creds == "acceptor",
                    initiates: creds != "acceptor",
                })
            }
            Module::Digest | Module::Other => None,
        }
    }

    /// Users of a DIGEST-MD5 server section (`user_<name>="password"`).
    pub fn digest_users(&self) -> impl Iterator<Item = (&str, &Secret)> {
        let digest = self.module() == Module::Digest;
        let users = self.options.iter().filter(move |_| digest);
        users.filter_map(|(name, password)| Some((name.strip_prefix("user_")?, password)))
    }

    /// User and password of a DIGEST-MD5 client section.
    pub fn digest_login(&self) -> Option<(&str, &Secret)> {
        let digest = self.module() == Module::Digest;
        let password = self.options.get("password").filter(|_| digest)?;
        Some((self.option("username")?, password))
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(Secret::reveal)
    }
}

/// A path that may be written as a `file:` URL.
pub fn path(text: &str) -> PathBuf {
    let text = text.strip_prefix("FILE:").unwrap_or(text);
    let Some(rest) = text.strip_prefix("file:") else {
        return PathBuf::from(text);
    };
    // file:/a, file:///a and file://a (which IBM's manual writes for /a).
    let rest = rest.trim_start_matches('/');
    PathBuf::from(format!("/{rest}"))
}

/// Reads a JAAS configuration; `property` answers for `${name}`.
///
/// # Errors
///
/// [`BadJaas`] at the first line that is not one.
pub fn parse_jaas(text: &str, property: &dyn Fn(&str) -> Option<String>) -> Result<Jaas, BadJaas> {
    if text.len() > CONFIG_MAX_BYTES {
        let what = format!("a text of at most {CONFIG_MAX_BYTES} bytes");
        return Err(BadJaas { line: 1, what });
    }
    let mut reader = Reader { rest: text, line: 1, fresh: true, budget: CONFIG_MAX_BYTES, property };
    let mut jaas = Jaas::default();
    let mut names = BTreeSet::new();
    while let Some(token) = reader.next()? {
        let line = reader.line;
        let name = reader.word(token, "the name of a section")?;
        reader.expect('{')?;
        let mut section = Section { name, line, modules: Vec::new() };
        loop {
            let token = reader.some("a login module or }")?;
            if token == Token::Mark('}') {
                break;
            }
            section.modules.push(reader.module(token)?);
        }
        reader.expect(';')?;
        if !names.insert(section.name.clone()) {
            let what = format!("section {} only once", clip(&section.name));
            return Err(BadJaas { line, what });
        }
        jaas.sections.push(section);
    }
    Ok(jaas)
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Mark(char),
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    /// Nothing was read yet: a `#` starts a comment here, too.
    fresh: bool,
    budget: usize,
    property: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    /// `class flag option=value ... ;`, the class being read.
    fn module(&mut self, first: Token) -> Result<LoginModule, BadJaas> {
        let line = self.line;
        let class = self.word(first, "the class of a login module")?;
        let what = "required, requisite, sufficient or optional";
        let token = self.some(what)?;
        let flag = match self.word(token, what)?.to_ascii_lowercase().as_str() {
            "required" => Flag::Required,
            "requisite" => Flag::Requisite,
            "sufficient" => Flag::Sufficient,
            "optional" => Flag::Optional,
            _ => return Err(self.bad(what)),
        };
        let mut options = BTreeMap::new();
        loop {
            let token = self.some("an option or ;")?;
            if token == Token::Mark(';') {
                return Ok(LoginModule { class, flag, line, options });
            }
            let name = self.word(token, "an option or ;")?;
            self.expect('=')?;
            let token = self.some("the value of an option")?;
            let value = self.word(token, "the value of an option")?;
            options.insert(name, Secret::new(value));
        }
    }

    fn bad(&self, expected: &str) -> BadJaas {
        BadJaas { line: self.line, what: expected.to_owned() }
    }

    fn word(&self, token: Token, expected: &str) -> Result<String, BadJaas> {
        match token {
            Token::Word(word) => Ok(word),
            Token::Mark(_) => Err(self.bad(expected)),
        }
    }

    fn some(&mut self, expected: &str) -> Result<Token, BadJaas> {
        self.next()?.ok_or_else(|| self.bad(expected))
    }

    fn expect(&mut self, mark: char) -> Result<(), BadJaas> {
        match self.next()? {
            Some(Token::Mark(c)) if c == mark => Ok(()),
            _ => Err(self.bad(&format!("a {mark}"))),
        }
    }

    fn advance(&mut self, by: usize) {
        let (done, rest) = self.rest.split_at(by);
        self.line += done.bytes().filter(|&b| b == b'\n').count();
        self.rest = rest;
    }

    /// Skips blanks and comments.
    fn skip(&mut self) -> Result<(), BadJaas> {
        let mut after_blank = std::mem::take(&mut self.fresh);
        loop {
            let blanks = self.rest.len() - self.rest.trim_start().len();
            after_blank |= blanks > 0;
            self.advance(blanks);
            let end = if self.rest.starts_with("//") || (after_blank && self.rest.starts_with('#')) {
                self.rest.find(['\n', '\r']).unwrap_or(self.rest.len())
            } else if self.rest.starts_with("/*") {
                let end = self.rest.find("*/");
                end.map(|at| at + 2).ok_or_else(|| self.bad("the end of a comment"))?
            } else {
                return Ok(());
            };
            self.advance(end);
        }
    }

    fn next(&mut self) -> Result<Option<Token>, BadJaas> {
        self.skip()?;
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        match first {
            '{' | '}' | ';' | '=' => {
                self.advance(1);
                Ok(Some(Token::Mark(first)))
            }
            '"' => self.quoted().map(Some),
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';' | '=' | '"');
                // A `${name}` belongs to the word.
                let mut end = 0;
                while let Some(c) = self.rest.get(end..).and_then(|r| r.chars().next()) {
                    let rest = self.rest.get(end..).unwrap_or_default();
                    end += match rest.strip_prefix("${").and_then(closing) {
                        Some(close) => close + 3,
                        None if ends(c) => break,
                        None => c.len_utf8(),
                    };
                }
                let word = self.rest.get(..end).unwrap_or_default();
                let word = self.expand(word)?;
                self.advance(end);
                Ok(Some(Token::Word(word)))
            }
        }
    }

    fn quoted(&mut self) -> Result<Token, BadJaas> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let text = self.expand(&text)?;
                    self.advance(at + 1);
                    return Ok(Token::Word(text));
                }
                '\n' => break,
                '\\' => text.extend(chars.next().map(|(_, c)| match c {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    c => c,
                })),
                c => text.push(c),
            }
        }
        Err(self.bad("the closing quote on the same line"))
    }

    /// Puts in system properties; an unknown one is an error, as in Java.
    fn expand(&mut self, text: &str) -> Result<String, BadJaas> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else {
                break;
            };
            out.push_str(before);
            let value = match name {
                "/" => Some("/".to_owned()),
                _ => (self.property)(name),
            };
            let unknown = || self.bad(&format!("a value for ${{{}}}", clip(name)));
            let value = value.ok_or_else(unknown)?;
            out.push_str(&value);
            rest = tail;
            self.budget = self.budget.checked_sub(value.len() + 1).ok_or_else(|| self.bad("less text"))?;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// Where the brace of a `${name}` closes; names are short.
fn closing(text: &str) -> Option<usize> {
    text.bytes().take(256).position(|b| b == b'}')
}

#[cfg(test)]
mod tests;

//! `conf/java.env` and `zookeeper-env.sh`: shell assignments, read without a shell.
//!
//! Understood: `[export] NAME=word ...`, `NAME+=word`, comments, quotes, escapes, line
//! continuation, `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME-word}`. Anything that
//! would need a shell (substitutions, conditions, loops) is skipped and named.
//!
//! # Invariants
//!
//! * Total; expanded text is bounded by [`CONFIG_MAX_BYTES`] in all.
//! * Nothing is run, and an assignment under a condition is never taken.

use std::collections::BTreeMap;

use crate::limits::CONFIG_MAX_BYTES;

/// What a file assigns.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Assignments {
    /// Variable to its last value and the line of that assignment.
    pub vars: BTreeMap<String, (String, usize)>,
    /// Lines that would need a shell, each with the reason.
    pub skipped: Vec<(usize, &'static str)>,
}

impl std::fmt::Debug for Assignments {
    // A value may carry a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.vars.keys().collect();
        write!(f, "Assignments({names:?}, skipped {:?})", self.skipped)
    }
}

/// The text grew past [`CONFIG_MAX_BYTES`] while its variables were expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// Reads assignments; `environment` answers for variables the text does not assign.
///
/// # Errors
///
/// [`TooLarge`] when the text or its expansion passes the bound.
pub fn parse_assignments(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Assignments, TooLarge> {
    if text.len() > CONFIG_MAX_BYTES {
        return Err(TooLarge);
    }
    let mut reader = Reader {
        chars: text.chars().peekable(),
        line: 1,
        depth: 0,
        budget: CONFIG_MAX_BYTES,
        environment,
        out: Assignments::default(),
    };
    while reader.chars.peek().is_some() {
        reader.command()?;
    }
    Ok(reader.out)
}

/// A word of a command. `trouble` says why it could not be read without a shell.
#[derive(Default)]
struct Word {
    text: String,
    trouble: Option<&'static str>,
}

struct Reader<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
    /// Open `if`, `case`, loops and braces.
    depth: usize,
    budget: usize,
    environment: &'a dyn Fn(&str) -> Option<String>,
    out: Assignments,
}

const SUBSTITUTION: &str = "a command substitution needs a shell";
const CONDITION: &str = "an assignment under a condition needs a shell";
const COMMAND: &str = "a command; only assignments are read";
const EXPANSION: &str = "this kind of ${...} needs a shell";

impl Reader<'_> {
    fn bump(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// Reads one command up to its end and takes its assignments.
    fn command(&mut self) -> Result<(), TooLarge> {
        let line = self.line;
        let mut words = Vec::new();
        let mut joined = false;
        loop {
            match self.chars.peek() {
                None => break,
                Some(' ' | '\t' | '\r') => {
                    self.bump();
                }
                Some('#') => {
                    while self.chars.peek().is_some_and(|&c| c != '\n') {
                        self.bump();
                    }
                }
                Some('\n' | ';') => {
                    self.bump();
                    break;
                }
                // `a && b`, `a || b`, `a | b`, `a &`, `(a)`, redirections.
                Some('&' | '|' | '(' | ')' | '<' | '>') => {
                    self.bump();
                    joined = true;
                }
                Some(_) => words.push(self.word()?),
            }
        }
        self.take(line, &words, joined)
    }

    /// Takes the assignments of one command, or says why it does not.
    fn take(&mut self, line: usize, words: &[Word], joined: bool) -> Result<(), TooLarge> {
        let keyword = words.first().map_or("", |w| w.text.as_str());
        let opens_body = words.last().is_some_and(|w| w.text == "{");
        if opens_body || matches!(keyword, "if" | "case" | "for" | "while" | "until") {
            self.depth += 1;
            return Ok(());
        }
        if matches!(keyword, "fi" | "esac" | "done" | "}") {
            self.depth = self.depth.saturating_sub(1);
            return Ok(());
        }
        let introduces = |w: &&Word| matches!(w.text.as_str(), "then" | "else" | "do");
        let words: Vec<&Word> = words.iter().skip_while(introduces).collect();
        let exported = words.first().is_some_and(|w| w.text == "export");
        let words = words.get(usize::from(exported)..).unwrap_or_default();
        let pairs: Vec<_> = words.iter().map(|w| (w, assignment(&w.text))).collect();
        if !exported && pairs.iter().any(|(_, pair)| pair.is_none()) {
            self.out.skipped.push((line, COMMAND));
            return Ok(());
        }
        for (word, (name, append, value)) in pairs.into_iter().filter_map(|(w, p)| Some((w, p?))) {
            let condition = (joined || self.depth > 0).then_some(CONDITION);
            if let Some(why) = word.trouble.or(condition) {
                self.out.skipped.push((line, why));
                continue;
            }
            let mut text = if append { self.lookup(name).unwrap_or_default() } else { String::new() };
            self.budget = self.budget.checked_sub(text.len()).ok_or(TooLarge)?;
            text.push_str(value);
            self.out.vars.insert(name.to_owned(), (text, line));
        }
        Ok(())
    }

    /// Reads one word, quotes removed and variables expanded.
    fn word(&mut self) -> Result<Word, TooLarge> {
        let mut word = Word::default();
        let mut quoted = false;
        while let Some(&c) = self.chars.peek() {
            match c {
                '"' => {
                    self.bump();
                    quoted = !quoted;
                }
                '\'' if !quoted => {
                    self.bump();
                    while let Some(c) = self.bump().filter(|&c| c != '\'') {
                        self.push(&mut word, c)?;
                    }
                }
                '\\' => self.backslash(&mut word, quoted)?,
                '$' => self.dollar(&mut word)?,
                '`' => {
                    self.bump();
                    word.trouble = Some(SUBSTITUTION);
                    while self.bump().is_some_and(|c| c != '`') {}
                }
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' if !quoted => {
                    break;
                }
                _ => {
                    self.bump();
                    self.push(&mut word, c)?;
                }
            }
        }
        Ok(word)
    }

    fn backslash(&mut self, word: &mut Word, quoted: bool) -> Result<(), TooLarge> {
        self.bump();
        match self.bump() {
            Some('\n') | None => Ok(()),
            Some(c) if quoted && !matches!(c, '"' | '\\' | '$' | '`') => {
                self.push(word, '\\')?;
                self.push(word, c)
            }
            Some(c) => self.push(word, c),
        }
    }

    /// `$NAME`, `${...}`, `$(...)`.
    fn dollar(&mut self, word: &mut Word) -> Result<(), TooLarge> {
        self.bump();
        match self.chars.peek() {
            Some('{') => {
                self.bump();
                let name = self.name();
                let mut rest = String::new();
                while let Some(c) = self.bump().filter(|&c| c != '}') {
                    rest.push(c);
                }
                let default = match rest.strip_prefix(':').unwrap_or(&rest).strip_prefix('-') {
                    Some(text) if !text.contains(['$', '`', '"', '\'']) => text,
                    None if rest.is_empty() => "",
                    _ => {
                        word.trouble = Some(EXPANSION);
                        return Ok(());
                    }
                };
                let value = self.lookup(&name).filter(|v| !v.is_empty());
                self.push_str(word, value.as_deref().unwrap_or(default))
            }
            Some('(') => {
                word.trouble = Some(SUBSTITUTION);
                let mut open = 0usize;
                while let Some(c) = self.bump() {
                    open = match c {
                        '(' => open + 1,
                        ')' => open.saturating_sub(1),
                        _ => open,
                    };
                    if open == 0 {
                        break;
                    }
                }
                Ok(())
            }
            _ => {
                let name = self.name();
                if name.is_empty() {
                    return self.push(word, '$');
                }
                let value = self.lookup(&name).unwrap_or_default();
                self.push_str(word, &value)
            }
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        name
    }

    fn lookup(&self, name: &str) -> Option<String> {
        match self.out.vars.get(name) {
            Some((value, _)) => Some(value.clone()),
            None => (self.environment)(name),
        }
    }

    fn push(&mut self, word: &mut Word, c: char) -> Result<(), TooLarge> {
        self.push_str(word, c.encode_utf8(&mut [0; 4]))
    }

    fn push_str(&mut self, word: &mut Word, text: &str) -> Result<(), TooLarge> {
        self.budget = self.budget.checked_sub(text.len()).ok_or(TooLarge)?;
        word.text.push_str(text);
        Ok(())
    }
}

/// `NAME=value` or `NAME+=value`, taken apart.
fn assignment(word: &str) -> Option<(&str, bool, &str)> {
    let (left, value) = word.split_once('=')?;
    let (name, append) = match left.strip_suffix('+') {
        Some(name) => (name, true),
        None => (left, false),
    };
    is_name(name).then_some((name, append, value))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Assignments {
        parse_assignments(text, &|name| (name == "HOME").then(|| "/home/zk".to_owned())).unwrap()
    }

    fn value(text: &str, name: &str) -> Option<String> {
        read(text).vars.get(name).map(|(v, _)| v.clone())
    }

    #[test]
    fn a_java_env_is_read_without_a_shell() {
        let text = r#"
# java.env
JAAS=/etc/zk/jaas.conf   # the file
export SERVER_JVMFLAGS="-Xmx1g -Djava.security.auth.login.config=${JAAS} \
  -Da=\"x\" $SERVER_JVMFLAGS"
export JVMFLAGS='-Db=$HOME' ZOO_LOG_DIR=$HOME/log
SERVER_JVMFLAGS+=" -Dc=${MISSING:-d}"
"#;
        let env = read(text);
        assert_eq!(env.skipped, []);
        assert_eq!(
            env.vars["SERVER_JVMFLAGS"],
            ("-Xmx1g -Djava.security.auth.login.config=/etc/zk/jaas.conf   -Da=\"x\"  -Dc=d".to_owned(), 7)
        );
        assert_eq!(env.vars["JVMFLAGS"].0, "-Db=$HOME");
        assert_eq!(env.vars["ZOO_LOG_DIR"], ("/home/zk/log".to_owned(), 6));
    }

    #[test]
    fn what_needs_a_shell_is_skipped_and_named() {
        let text = "A=$(hostname)\nB=`id`\n[ -z \"$C\" ] && C=1\nif true; then\n  D=1\nfi\nulimit -n 10\nE=ok; F=${G%x}\n. other\nf() {\nH=1\n}\nI=1 cmd\nexport E";
        let env = read(text);
        let names: Vec<&String> = env.vars.keys().collect();
        assert_eq!(names, ["E"]);
        let lines: Vec<usize> = env.skipped.iter().map(|s| s.0).collect();
        assert_eq!(lines, [1, 2, 3, 5, 7, 8, 9, 11, 13]);
    }

    #[test]
    fn expansion_is_bounded() {
        let mut text = "A=xxxxxxxxxxxxxxxx\n".to_owned();
        text.push_str(&"A=$A$A\n".repeat(40));
        assert_eq!(parse_assignments(&text, &|_| None), Err(TooLarge));
        let text = "A=xxxxxxxxxxxxxxxx\n".to_owned() + &"A+=$A\n".repeat(40);
        assert_eq!(parse_assignments(&text, &|_| None), Err(TooLarge));
    }

    #[test]
    fn quotes_and_escapes_are_the_shells() {
        assert_eq!(value(r#"A=a\ b"#, "A").unwrap(), "a b");
        assert_eq!(value(r#"A="a\d\$x""#, "A").unwrap(), r"a\d$x");
        assert_eq!(value("A='a\"b'c\"d\"", "A").unwrap(), "a\"bcd");
        assert_eq!(value("A=5$", "A").unwrap(), "5$");
        assert_eq!(value("A=x\n", "B"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[ \\n\"'$(){}A-C=;&|`+#:.-]{0,60}|\\PC{0,80}") {
            let _ = parse_assignments(&text, &|_| None);
        }

        #[test]
        fn single_quoted_text_comes_back(text in "[^']{0,40}") {
            let out = value(&format!("export A='{text}'"), "A");
            prop_assert_eq!(out, Some(text));
        }
    }
}

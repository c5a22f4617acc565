//! Flags of shell commands, read as Apache commons-cli reads them.
//!
//! # Invariants
//!
//! * Texts of refusals are commons-cli's: people scrape them.
//! * Parsing never depends on an earlier command.

/// One flag of a command.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Name without its dash; several letters are one name.
    pub name: &'static str,
    /// Does a value follow?
    pub value: bool,
    /// What help says.
    pub help: &'static str,
}

/// Which flags a command takes.
#[derive(Clone, Copy, Debug)]
pub struct Flags {
    /// The flags.
    pub list: &'static [Flag],
    /// At most one of them may be given.
    pub exclusive: bool,
    /// One of them must be given.
    pub required: bool,
}

/// A command line, taken apart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parsed {
    /// Words that are no flags; the first is the command.
    pub args: Vec<String>,
    pub(super) values: Vec<(&'static str, Option<String>)>,
}

impl Parsed {
    /// Was the flag given?
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(n, _)| *n == name)
    }

    /// The flag's value, the first if it was given twice.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(n, _)| *n == name).and_then(|(_, v)| v.as_deref())
    }

    /// The word at a position; the command is at 0.
    pub fn arg(&self, at: usize) -> Option<&str> {
        self.args.get(at).map(String::as_str)
    }
}

struct Parser {
    flags: Flags,
    parsed: Parsed,
    /// The flag whose value is awaited.
    open: Option<&'static str>,
}

/// Takes a command's words apart; the error is the line to print.
pub fn parse(flags: Flags, words: &[String]) -> Result<Parsed, String> {
    let mut p = Parser { flags, parsed: Parsed::default(), open: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            p.parsed.args.extend(words.by_ref().cloned());
        } else if p.open.is_some() && !p.is_flag(word) {
            p.give(strip_quotes(word));
        } else if word.len() > 1 && word.starts_with('-') {
            p.flag(word)?;
        } else {
            p.parsed.args.push(word.clone());
        }
    }
    p.nothing_open()?;
    if flags.required && p.parsed.values.is_empty() {
        return Err(exception(
            "MissingOptionException",
            &format!("Missing required option: {}", group(flags)),
        ));
    }
    Ok(p.parsed)
}

impl Parser {
    fn find(&self, name: &str) -> Option<&'static Flag> {
        self.flags.list.iter().find(|f| f.name == name)
    }

    /// Would the word be taken for a flag rather than for a value? Negative numbers are values.
    fn is_flag(&self, word: &str) -> bool {
        let Some(rest) = word.strip_prefix('-').filter(|r| !r.is_empty()) else { return false };
        if word.parse::<f64>().is_ok() {
            return false;
        }
        let name = rest.split('=').next().unwrap_or(rest);
        let first = name.get(..name.chars().next().map_or(0, char::len_utf8)).unwrap_or("");
        self.find(name).is_some() || self.find(first).is_some()
    }

    fn flag(&mut self, word: &str) -> Result<(), String> {
        let name = word.trim_start_matches('-');
        if word.starts_with("--") {
            return Err(unrecognized(word));
        }
        if let Some(flag) = self.find(name) {
            return self.open(flag);
        }
        match name.split_once('=') {
            Some((name, value)) => match self.find(name).filter(|f| f.value && f.name.len() == 1) {
                Some(flag) => {
                    self.open(flag)?;
                    self.give(value);
                    Ok(())
                }
                None => Err(unrecognized(word)),
            },
            None => self.joined(word, name),
        }
    }

    /// `-sw` is `-s -w`, `-v5` is `-v 5`.
    fn joined(&mut self, word: &str, letters: &str) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let after = at + letter.len_utf8();
            let name = letters.get(at..after).unwrap_or("");
            let flag = self.find(name).ok_or_else(|| unrecognized(word))?;
            self.open(flag)?;
            let rest = letters.get(after..).unwrap_or("");
            if self.open.is_some() && !rest.is_empty() {
                self.give(rest);
                break;
            }
        }
        Ok(())
    }

    fn open(&mut self, flag: &'static Flag) -> Result<(), String> {
        self.nothing_open()?;
        if self.flags.exclusive
            && let Some((earlier, _)) = self.parsed.values.iter().find(|(n, _)| *n != flag.name)
        {
            let text = format!(
                "The option '{}' was specified but an option from this group has already been selected: '{earlier}'",
                flag.name
            );
            return Err(exception("AlreadySelectedException", &text));
        }
        self.parsed.values.push((flag.name, None));
        self.open = flag.value.then_some(flag.name);
        Ok(())
    }

    fn give(&mut self, value: &str) {
        self.open = None;
        if let Some((_, slot)) = self.parsed.values.last_mut() {
            *slot = Some(value.to_owned());
        }
    }

    fn nothing_open(&self) -> Result<(), String> {
        match self.open {
            None => Ok(()),
            Some(name) => {
                Err(exception("MissingArgumentException", &format!("Missing argument for option: {name}")))
            }
        }
    }
}

fn exception(class: &str, text: &str) -> String {
    format!("org.apache.commons.cli.{class}: {text}")
}

fn unrecognized(word: &str) -> String {
    exception("UnrecognizedOptionException", &format!("Unrecognized option: {word}"))
}

fn group(flags: Flags) -> String {
    let names: Vec<String> = flags.list.iter().map(|f| format!("-{} {}", f.name, f.help)).collect();
    format!("[{}]", names.join(", "))
}

fn strip_quotes(word: &str) -> &str {
    match word.strip_prefix('"').and_then(|w| w.strip_suffix('"')) {
        Some(inner) if !inner.contains('"') => inner,
        _ => word,
    }
}

/// The table of flags as commons-cli's help prints it, sorted, one flag a line.
pub fn help(flags: Flags) -> String {
    let mut list: Vec<&Flag> = flags.list.iter().collect();
    list.sort_by_key(|f| f.name.to_lowercase());
    let name = |f: &Flag| format!(" -{}{}", f.name, if f.value { " <arg>" } else { "" });
    let width = list.iter().map(|f| name(f).len()).max().unwrap_or(0);
    list.iter().map(|f| format!("{:width$}   {}\n", name(f), f.help)).collect()
}

/// Splits a line into words: blanks part them, quotes of either kind hold them together.
/// A quote that is not closed is left out, as in Java.
pub fn split_line(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return words };
        if first == '"' || first == '\'' {
            let inner = rest.get(1..).unwrap_or("");
            match inner.find(first) {
                Some(end) => {
                    words.push(inner.get(..end).unwrap_or("").to_owned());
                    rest = inner.get(end + 1..).unwrap_or("");
                }
                None => rest = inner,
            }
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            words.push(word.to_owned());
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: Flags = Flags {
        list: &[
            Flag { name: "s", value: false, help: "stat" },
            Flag { name: "w", value: false, help: "watch" },
            Flag { name: "v", value: true, help: "version" },
            Flag { name: "file", value: true, help: "a file" },
        ],
        exclusive: false,
        required: false,
    };
    const GROUP: Flags = Flags {
        list: &[Flag { name: "n", value: true, help: "num" }, Flag { name: "b", value: true, help: "bytes" }],
        exclusive: true,
        required: true,
    };

    fn words(line: &str) -> Vec<String> {
        split_line(line)
    }

    #[test]
    fn lines_split_at_blanks_and_keep_quoted_words() {
        assert_eq!(words("set /a \"two words\" 'x y'"), ["set", "/a", "two words", "x y"]);
        assert_eq!(words("  ls\t/  "), ["ls", "/"]);
        assert_eq!(words("get \"/e"), ["get", "/e"]);
        assert_eq!(words("set /a \"\""), ["set", "/a", ""]);
        assert_eq!(words("create /a it's"), ["create", "/a", "it's"]);
        assert!(words("   ").is_empty());
    }

    #[test]
    fn flags_stand_anywhere_and_together() {
        let p = parse(FLAGS, &words("get -sw /a -v -1")).unwrap();
        assert_eq!(p.args, ["get", "/a"]);
        assert!(p.has("s") && p.has("w"));
        assert_eq!(p.value("v"), Some("-1"));
        let p = parse(FLAGS, &words("get -v=5 -file x -- -s")).unwrap();
        assert_eq!((p.value("v"), p.value("file")), (Some("5"), Some("x")));
        assert_eq!(p.args, ["get", "-s"]);
        assert_eq!(parse(FLAGS, &words("get -v7 -")).unwrap().args, ["get", "-"]);
    }

    #[test]
    fn refusals_read_as_in_java() {
        for (flags, line, want) in [
            (FLAGS, "ls -z /", "UnrecognizedOptionException: Unrecognized option: -z"),
            (FLAGS, "ls --json /", "UnrecognizedOptionException: Unrecognized option: --json"),
            (FLAGS, "ls -sz /", "UnrecognizedOptionException: Unrecognized option: -sz"),
            (FLAGS, "get -v", "MissingArgumentException: Missing argument for option: v"),
            (FLAGS, "get -v -s /a", "MissingArgumentException: Missing argument for option: v"),
            (GROUP, "q /a", "MissingOptionException: Missing required option: [-n num, -b bytes]"),
            (
                GROUP,
                "q -n 5 -b 6 /a",
                "AlreadySelectedException: The option 'b' was specified but an option from this group has already \
                 been selected: 'n'",
            ),
        ] {
            assert_eq!(parse(flags, &words(line)), Err(format!("org.apache.commons.cli.{want}")), "{line}");
        }
    }

    #[test]
    fn help_is_aligned() {
        assert_eq!(
            help(FLAGS),
            " -file <arg>   a file\n -s            stat\n -v <arg>      version\n -w            watch\n"
        );
    }
}

//! Doctor's answer to one call.

use std::process::Command;
use std::time::Duration;

use crate::support::{ox, process};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What doctor said.
pub struct Told {
    pub exit: Option<i32>,
    pub json: serde_json::Value,
    text: String,
}

/// Runs `oxkeeper doctor --json <args>` with these variables.
pub fn doctor(env: &[(String, String)], args: &[&str]) -> Told {
    let mut command: Command = ox::command(&["doctor", "--json"]);
    command.args(args).env_remove("JVMFLAGS").env_remove("SERVER_JVMFLAGS");
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let (status, text) = process::run(command, None, LIMIT).expect("doctor answers in time");
    let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"));
    Told { exit: status.code(), json, text }
}

impl Told {
    /// The findings of a code.
    fn of(&self, code: &str) -> Vec<&serde_json::Value> {
        let all = self.json["findings"].as_array().expect("a list of findings");
        all.iter().filter(|f| f["code"] == code).collect()
    }

    /// Nothing of this code was found.
    #[track_caller]
    pub fn without(&self, code: &str) -> &Told {
        assert!(self.of(code).is_empty(), "{code} is found where nothing is wrong:\n{}", self.text);
        self
    }

    /// Nothing was found.
    #[track_caller]
    pub fn healthy(&self) {
        assert_eq!(self.exit, Some(0), "{}", self.text);
    }

    /// The code was found, and its cure has this text.
    #[track_caller]
    pub fn names(&self, pain: &str, code: &str, cure: &str) -> &Told {
        let found = self.of(code);
        assert!(!found.is_empty(), "pain {pain}: {code} is not found:\n{}", self.text);
        let fits = |f: &&&serde_json::Value| f["cure"].as_str().is_some_and(|c| c.contains(cure));
        let one = found.iter().find(fits);
        let one =
            one.unwrap_or_else(|| panic!("pain {pain}: no cure of {code} says {cure:?}:\n{}", self.text));
        assert!(one["cause"].as_str().is_some_and(|c| c.len() > 10), "{}", self.text);
        assert_eq!(self.exit, Some(1), "{}", self.text);
        println!("pain {pain}: {code}: {}", one["what"].as_str().unwrap_or_default());
        self
    }

    /// Everything that was said.
    pub fn text(&self) -> &str {
        &self.text
    }
}

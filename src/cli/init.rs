//! `oxkeeper init`: prepares data directories, as `zkServer-initialize.sh` does.
//!
//! Creates `version-2` in the data directory and in the log directory, writes `myid`,
//! and leaves the `initialize` file that lets an empty database count as a valid one
//! when `db.autocreate` is off.
//!
//! # Invariants
//!
//! * Without `--force`, directories that hold a database are never touched.
//! * What was written is synced, with its directory, before success is reported.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{Files, Invocation, Request, load};

use super::configuration::OnDisk;

/// Prepare the data directories of a new server
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// zoo.cfg; by default $ZOOCFGDIR/$ZOOCFG, or conf/zoo.cfg
    #[arg(long, value_name = "FILE")]
    pub configfile: Option<PathBuf>,
    /// Number of this server, written into myid (1 to 255)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub myid: Option<u64>,
    /// Remove an existing database and start anew
    #[arg(long)]
    pub force: bool,
}

/// Exit code of a refusal, as of the script.
const REFUSED: i32 = 1;

/// Runs `oxkeeper init`; returns the exit code.
pub fn run(args: &InitArgs) -> i32 {
    let config = args.configfile.clone().unwrap_or_else(|| default_config(&|name| std::env::var_os(name)));
    match initialize(&config, args, &mut io::stdout().lock()) {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("{why}");
            REFUSED
        }
    }
}

/// Where the scripts look for the configuration.
fn default_config(variable: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    let or = |name, other: &str| variable(name).unwrap_or_else(|| OsString::from(other));
    Path::new(&or("ZOOCFGDIR", "conf")).join(or("ZOOCFG", "zoo.cfg"))
}

fn initialize(config: &Path, args: &InitArgs, out: &mut dyn Write) -> Result<(), String> {
    if !matches!(OnDisk.read(config, 0), Ok(Some(_))) {
        return Err(format!("Unable to find config file at {}", config.display()));
    }
    let request = Request { invocation: Invocation::File(config.to_owned()), ..Request::file("") };
    let Some((data, log)) = load(&request, &OnDisk).directories else {
        return Err(format!("Unable to determine dataDir from {}", config.display()));
    };
    let mut say = |line: String| writeln!(out, "{line}").map_err(|e| e.to_string());
    if args.force {
        say("Force enabled, data/txnlog directories will be re-initialized".to_owned())?;
    } else {
        refuse_existing(&data, "data")?;
        refuse_existing(&log, "txnlog")?;
    }
    for directory in both(&data, &log) {
        prepare(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    }
    match args.myid {
        Some(id) => {
            say(format!("Using myid of {id}"))?;
            if !(1..=255).contains(&id) {
                say(format!("{id} is outside of 1 to 255; TTL nodes need an id of at most 254"))?;
            }
            write_synced(&data, "myid", &format!("{id}\n"))?;
        }
        None => say(format!(
            "No myid provided, be sure to specify it in {} if using non-standalone",
            data.join("myid").display()
        ))?,
    }
    // Java looks for it beside the log, its script puts it beside the snapshots.
    for directory in both(&data, &log) {
        write_synced(directory, "initialize", "")?;
    }
    Ok(())
}

/// The directories, each once.
fn both<'a>(data: &'a Path, log: &'a Path) -> impl Iterator<Item = &'a Path> {
    std::iter::once(data).chain((log != data).then_some(log))
}

fn refuse_existing(directory: &Path, what: &str) -> Result<(), String> {
    if !directory.join("version-2").is_dir() {
        return Ok(());
    }
    let shown = directory.display();
    let cure = "(or use --force to force re-initialization)";
    Err(format!("ZooKeeper {what} directory already exists at {shown} {cure}"))
}

/// Removes what an earlier server left and creates an empty `version-2`.
fn prepare(directory: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    };
    gone(fs::remove_file(directory.join("myid")))?;
    gone(fs::remove_dir_all(directory.join("version-2")))?;
    fs::create_dir_all(directory.join("version-2"))?;
    File::open(directory)?.sync_all()
}

fn write_synced(directory: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = directory.join(name);
    let write = || {
        let mut file = File::create(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|e: io::Error| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs in a directory with a zoo.cfg whose directories are `data` and `log` of it.
    fn init(folder: &Path, args: &InitArgs) -> (Result<(), String>, String) {
        let shown = folder.display();
        let zoo = format!(
            "dataDir={shown}/data\ndataLogDir={shown}/log\nclientPort=1\ninitLimit=5\nsyncLimit=2\n\
             server.1=a:1:2\nserver.2=b:1:2\n"
        );
        fs::write(folder.join("zoo.cfg"), zoo).unwrap();
        let mut out = Vec::new();
        let done = initialize(&folder.join("zoo.cfg"), args, &mut out);
        let shown = format!("{shown}");
        let told = String::from_utf8(out).unwrap().replace(&shown, "DIR");
        (done.map_err(|e| e.replace(&shown, "DIR")), told)
    }

    fn args(myid: Option<u64>, force: bool) -> InitArgs {
        InitArgs { configfile: None, myid, force }
    }

    #[test]
    fn directories_myid_and_initialize_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let (done, told) = init(folder.path(), &args(Some(3), false));
        assert_eq!((done, told.as_str()), (Ok(()), "Using myid of 3\n"));
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("data/myid"), "3\n");
        assert_eq!((read("data/initialize"), read("log/initialize")), (String::new(), String::new()));
        assert!(folder.path().join("data/version-2").is_dir());
        assert!(folder.path().join("log/version-2").is_dir());
        assert!(!folder.path().join("log/myid").exists());
    }

    #[test]
    fn a_database_is_only_replaced_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("log/version-2/log.1");
        fs::create_dir_all(old.parent().unwrap()).unwrap();
        fs::write(&old, "x").unwrap();
        let (done, _) = init(folder.path(), &args(None, false));
        let refusal = "ZooKeeper txnlog directory already exists at DIR/log (or use --force to force re-initialization)";
        assert_eq!(done, Err(refusal.to_owned()));
        assert!(old.exists() && !folder.path().join("data").exists());
        let (done, told) = init(folder.path(), &args(None, true));
        assert_eq!(done, Ok(()));
        assert!(told.starts_with("Force enabled") && told.contains("No myid provided"), "{told}");
        assert!(!old.exists() && folder.path().join("data/initialize").exists());
    }

    #[test]
    fn a_missing_file_or_directory_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("zoo.cfg");
        let none = args(None, false);
        let missing = initialize(&config, &none, &mut Vec::new()).unwrap_err();
        assert!(missing.starts_with("Unable to find config file at"));
        fs::write(&config, "clientPort=1\n").unwrap();
        let missing = initialize(&config, &none, &mut Vec::new()).unwrap_err();
        assert!(missing.starts_with("Unable to determine dataDir from"));
    }

    #[test]
    fn the_default_configuration_is_where_the_scripts_look() {
        assert_eq!(default_config(&|_| None), PathBuf::from("conf/zoo.cfg"));
        let set = |name: &str| (name == "ZOOCFGDIR").then(|| OsString::from("/etc/zk"));
        assert_eq!(default_config(&set), PathBuf::from("/etc/zk/zoo.cfg"));
    }
}

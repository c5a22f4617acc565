//! Commands that write.
//!
//! # Invariants
//!
//! * Nothing is sent for a command line that Java's shell refuses by itself.

use super::Shell;
use super::acl;
use super::answer::{Answer, Failure};
use super::options::Parsed;
use crate::client::{ClientError, CreateAs, Op};
use crate::error::Code;
use crate::types::mode::MAX_TTL;
use crate::types::{Acl, CreateMode};
use base64::Engine as _;

/// `create`.
pub fn create(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let how = create_as(p)?;
    let path = p.arg(1).unwrap_or_default();
    let data = p.arg(2).map(str::as_bytes);
    let acl = match p.arg(3) {
        Some(text) => parse_acl(sh, text),
        None => vec![Acl::open()],
    };
    let probe = if how.mode.is_sequential() { format!("{path}1") } else { path.to_owned() };
    if let Some(problem) = super::messages::bad_path(&probe) {
        return Err(Failure::usage(problem));
    }
    let refused = |sh: &mut Shell, path: &str| {
        sh.say(Answer::Note(super::messages::keeper_error(Code::InvalidAcl, path)));
        Failure::from(ClientError::Refused { code: Code::InvalidAcl, path: path.to_owned() })
    };
    if acl.is_empty() {
        return Err(refused(sh, ""));
    }
    let zk = sh.zk();
    let created = if p.has("t") {
        sh.run(path, zk.create2(path, data, &acl, how)).map(|(path, _)| path)
    } else {
        sh.run(path, zk.create(path, data, &acl, how))
    };
    match created {
        Ok(created) => {
            sh.say(Answer::Created(created));
            Ok(())
        }
        Err(f) if f.code == Some(Code::InvalidAcl) => Err(refused(sh, path)),
        Err(f) => {
            if f.code == Some(Code::EphemeralOnLocalSession) {
                sh.say(Answer::Note("Unable to create ephemeral node on a local session".into()));
            }
            Err(f)
        }
    }
}

fn create_as(p: &Parsed) -> Result<CreateAs, Failure> {
    let (e, s, c, t) = (p.has("e"), p.has("s"), p.has("c"), p.has("t"));
    if c && (e || s) {
        return Err(Failure::usage(
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.",
        ));
    }
    let ttl = match p.value("t") {
        Some(text) => text.parse().map_err(|_| Failure::usage("-t argument must be a long value"))?,
        None => -1,
    };
    if t && e {
        return Err(Failure::usage("TTLs cannot be used with Ephemeral znodes"));
    }
    if t && c {
        return Err(Failure::usage("TTLs cannot be used with Container znodes"));
    }
    if t && !(1..=MAX_TTL).contains(&ttl) {
        return Err(Failure::usage(format!("ttl must be positive and cannot be larger than: {MAX_TTL}")));
    }
    let mode = match (e, s, c, t) {
        (true, true, ..) => CreateMode::EphemeralSequential,
        (true, ..) => CreateMode::Ephemeral,
        (_, true, _, true) => CreateMode::PersistentSequentialTtl,
        (_, true, ..) => CreateMode::PersistentSequential,
        (_, _, true, _) => CreateMode::Container,
        (.., true) => CreateMode::PersistentTtl,
        _ => CreateMode::Persistent,
    };
    Ok(CreateAs { mode, ttl })
}

/// An ACL list; what is wrong in it is said and left out.
fn parse_acl(sh: &mut Shell, text: &str) -> Vec<Acl> {
    let (list, complaints) = acl::parse(text);
    for complaint in complaints {
        sh.say(Answer::Note(complaint));
    }
    list
}

/// The value of `-v`, -1 without it.
fn version(p: &Parsed) -> Result<i32, Failure> {
    match p.value("v") {
        Some(text) => text.parse().map_err(|_| Failure::usage(format!("For input string: \"{text}\""))),
        None => Ok(-1),
    }
}

/// `delete`.
pub fn delete(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    let version = version(p)?;
    let zk = sh.zk();
    sh.run(path, zk.delete(path, version))
}

/// `deleteall`: a subtree, in batches of transactions.
pub fn delete_all(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let batch: i64 = match p.value("b") {
        Some(text) => text
            .parse::<i32>()
            .map(i64::from)
            .map_err(|_| Failure::usage("-b argument must be an int value"))?,
        None => 1000,
    };
    let path = p.arg(1).unwrap_or_default();
    let mut tree = super::walk::breadth_first(sh, path)?;
    tree.reverse();
    let zk = sh.zk();
    let Some(size) = usize::try_from(batch).ok().filter(|n| *n > 0) else {
        for path in &tree {
            sh.run(path, zk.delete(path, -1))?;
        }
        return Ok(());
    };
    for paths in tree.chunks(size) {
        let ops: Vec<Op> = paths.iter().map(|path| Op::Delete(path.clone(), -1)).collect();
        if sh.wait(zk.multi(&ops)).is_err() {
            sh.say(Answer::Note("Failed to delete some node(s) in the subtree!".into()));
            return Ok(());
        }
    }
    Ok(())
}

/// `set`.
pub fn set(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    let text = p.arg(2).unwrap_or_default();
    let data = if p.has("b") {
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|e| Failure::usage(format!("{text:?} is not base64: {e}")))?
    } else {
        text.as_bytes().to_vec()
    };
    let version = version(p)?;
    let zk = sh.zk();
    let stat = sh.run(path, zk.set(path, Some(&data), version))?;
    if p.has("s") {
        sh.say(Answer::Stat(stat));
    }
    Ok(())
}

/// `setAcl`.
pub fn set_acl(sh: &mut Shell, p: &Parsed) -> Result<(), Failure> {
    let path = p.arg(1).unwrap_or_default();
    let acl = parse_acl(sh, p.arg(2).unwrap_or_default());
    let version = version(p)?;
    let zk = sh.zk();
    if p.has("R") {
        return super::walk::depth_first(sh, path, false, |sh, path| {
            if let Err(e) = sh.wait(zk.set_acl(path, &acl, version)) {
                sh.say(Answer::Line("failed", super::messages::keeper_error(e.code(), path)));
            }
            Ok(())
        });
    }
    if let Some(problem) = super::messages::bad_path(path) {
        return Err(Failure::usage(problem));
    }
    if acl.is_empty() {
        return Err(ClientError::Refused { code: Code::InvalidAcl, path: String::new() }.into());
    }
    let stat = sh.run(path, zk.set_acl(path, &acl, version))?;
    if p.has("s") {
        sh.say(Answer::Stat(stat));
    }
    Ok(())
}

//! A whole data directory: written beside, made durable, then exchanged with what was there.
//!
//! # Invariants
//!
//! * Until the exchange the old data is untouched; the exchange of a folder is one step of the file system.
//! * The epochs that are written are above every epoch that archive, directory and operator name: a member that
//!   was left out of a restore can never bring the old history back.
//! * Durable marks of the old history go aside with it.

use super::RestoreArgs;
use super::point::Point;
use crate::cli::archive::Archive;
use crate::cli::archive::manifest::FileSums;
use crate::cli::archive::sums::{NewFile, Pace, Sums, copy};
use crate::cli::fault::Fault;
use crate::cli::progress::Progress;
use crate::disk::Disk;
use crate::os::disk::RealDisk;
use crate::storage::names::Dirs;
use crate::storage::recover::lock_dirs;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};

/// The folder that is written.
const STAGING: &str = "version-2.restoring";

/// Restores the point into the directories of `args`.
pub fn restore(
    args: &RestoreArgs,
    disk: &RealDisk,
    archive: &Archive<RealDisk>,
    point: &Point<'_>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let dirs = args.data.dirs()?;
    let held = held(&dirs)?;
    if let Some(what) = held.as_ref().filter(|_| !args.force) {
        return Err(Fault::Refused(format!(
            "{} holds data; restore into an empty directory, or with --force, which moves it aside; nothing was changed",
            what.display()
        )));
    }
    let myid = myid(args, &dirs)?;
    let epochs = epochs(args, archive, point, &dirs)?;
    if args.dry_run {
        say(&dirs, point, epochs, held.is_some(), args.myid);
        return Ok(());
    }
    for dir in [dirs.data(), dirs.data_log()] {
        make(dir)?;
    }
    lock_dirs(disk, &dirs)?;
    write(disk, archive, point, &dirs, epochs, progress)?;
    if let Some((path, text)) = myid {
        let _durable =
            disk.replace(&path, text.as_bytes()).map_err(|e| Fault::io("cannot write", &path, &e))?;
    }
    exchange(&dirs)?;
    own(&dirs)?;
    say(&dirs, point, epochs, held.is_some(), args.myid);
    Ok(())
}

fn say(dirs: &Dirs, point: &Point<'_>, epochs: Option<u32>, aside: bool, myid: Option<u64>) {
    println!(
        "{}: snapshot {} and {} pieces of the log",
        dirs.data().display(),
        point.snapshot.zxid.0,
        point.logs.len()
    );
    if let Some(digest) = point.digest {
        println!("its digest is 0x{:x}", digest.digest as u64);
    }
    if let Some(epoch) = epochs {
        println!(
            "epoch {epoch}: give --epoch {} when you restore the other members",
            epoch.saturating_sub(1)
        );
    }
    if let Some(id) = myid {
        println!("myid {id}");
    }
    if aside {
        println!("what was there: moved aside, version-2.before-restore-N");
    }
}

/// The first thing that is data.
fn held(dirs: &Dirs) -> Result<Option<PathBuf>, Fault> {
    for dir in [dirs.snap(), dirs.log()] {
        match fs::read_dir(&dir) {
            Ok(mut entries) => {
                if let Some(entry) = entries.next() {
                    return entry.map(|e| Some(e.path())).map_err(|e| Fault::io("cannot list", &dir, &e));
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Fault::io("cannot list", &dir, &e)),
        }
    }
    Ok(None)
}

/// The file to write, if there is none yet.
fn myid(args: &RestoreArgs, dirs: &Dirs) -> Result<Option<(PathBuf, String)>, Fault> {
    let Some(id) = args.myid else { return Ok(None) };
    let path = dirs.data().join("myid");
    match fs::read_to_string(&path) {
        Ok(text) if text.trim() == id.to_string() => Ok(None),
        Ok(text) => {
            let has = crate::cli::fault::plain(text.trim());
            Err(Fault::Refused(format!("{} says {has}, not {id}; nothing was changed", path.display())))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Some((path, format!("{id}\n")))),
        Err(e) => Err(Fault::io("cannot read", &path, &e)),
    }
}

/// The epoch for both files; none where nothing ever had one: a standalone server.
fn epochs(
    args: &RestoreArgs,
    archive: &Archive<RealDisk>,
    point: &Point<'_>,
    dirs: &Dirs,
) -> Result<Option<u32>, Fault> {
    let kept = |name: &str| {
        let text = fs::read_to_string(dirs.snap().join(name)).ok()?;
        text.lines().next()?.trim().parse::<u32>().ok()
    };
    let source = &archive.manifest.source;
    let logged = Some(archive.manifest.last().epoch()).filter(|e| *e > 0);
    let at = Some(point.zxid.epoch()).filter(|e| *e > 0);
    let known = [
        source.current_epoch,
        source.accepted_epoch,
        args.epoch,
        kept("currentEpoch"),
        kept("acceptedEpoch"),
        logged,
        at,
    ];
    match known.into_iter().flatten().max() {
        None => Ok(None),
        Some(epoch) => match epoch.checked_add(1) {
            Some(next) => Ok(Some(next)),
            None => Err(Fault::Refused(format!("there is no epoch above {epoch}"))),
        },
    }
}

fn make(dir: &Path) -> Result<(), Fault> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o750).create(dir);
    made.map_err(|e| Fault::io("cannot make", dir, &e))
}

/// Writes snapshot, logs and epochs into folders beside the real ones; all of it is durable on return.
fn write(
    disk: &RealDisk,
    archive: &Archive<RealDisk>,
    point: &Point<'_>,
    dirs: &Dirs,
    epochs: Option<u32>,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let (snap, log) = (dirs.data().join(STAGING), dirs.data_log().join(STAGING));
    for dir in [&snap, &log] {
        match fs::remove_dir_all(dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Fault::io("cannot remove", dir, &e));
            }
            _ => make(dir)?,
        }
    }
    put(disk, archive, &point.snapshot.file, point.snapshot.file.size, &snap, progress)?;
    for (i, l) in point.logs.iter().enumerate() {
        let len = if i + 1 == point.logs.len() { point.cut } else { l.file.size };
        put(disk, archive, &l.file, len, &log, progress)?;
    }
    if let Some(epoch) = epochs {
        for name in ["acceptedEpoch", "currentEpoch"] {
            let path = snap.join(name);
            let written = disk.replace(&path, epoch.to_string().as_bytes());
            let _durable = written.map_err(|e| Fault::io("cannot write", &path, &e))?;
        }
    }
    for dir in [snap.as_path(), &log, dirs.data(), dirs.data_log()] {
        let _names = disk.sync_dir(dir).map_err(|e| Fault::io("cannot sync", dir, &e))?;
    }
    Ok(())
}

/// Copies the first `len` bytes of a member; one that is whole is compared with its checksums once more.
fn put(
    disk: &RealDisk,
    archive: &Archive<RealDisk>,
    member: &FileSums,
    len: u64,
    folder: &Path,
    progress: &mut Progress,
) -> Result<(), Fault> {
    if len == 0 {
        return Ok(());
    }
    let from = Path::new(&member.name);
    let source = archive.disk.open_read(from).map_err(|e| Fault::io("cannot read", from, &e))?;
    let target = folder.join(from.file_name().unwrap_or_default());
    let (mut file, mut sums, mut at) = (NewFile::begin(disk, &target)?, Sums::default(), 0);
    progress.begin(from, 0);
    copy(&source, from, 0, len, &mut Pace::new(None), &mut |bytes| {
        sums.take(bytes);
        at += bytes.len() as u64;
        progress.at(at);
        file.append(bytes)
    })?;
    if len == member.size && sums.finish(member.name.clone()) != *member {
        return Err(Fault::archive(&member.name, 0, "it changed while it was read"));
    }
    file.finish()
}

/// Puts the new folders into the place of the old ones, snapshots first: until the logs follow, the old logs
/// still lead to the old end.
fn exchange(dirs: &Dirs) -> Result<(), Fault> {
    let aside = free(dirs);
    for mark in ["mark.0", "mark.1"].map(|m| dirs.own().join(m)) {
        if mark.exists() {
            let to = mark.with_extension(format!(
                "{}.{aside}",
                mark.extension().unwrap_or_default().to_string_lossy()
            ));
            fs::rename(&mark, &to).map_err(|e| Fault::io("cannot move", &mark, &e))?;
        }
    }
    let mut folders = vec![dirs.data()];
    if dirs.are_separate() {
        folders.push(dirs.data_log());
    }
    for folder in folders {
        let (staging, real) = (folder.join(STAGING), folder.join("version-2"));
        let moved = |e: std::io::Error| Fault::io("cannot put into place", &real, &e);
        if !real.exists() {
            fs::rename(&staging, &real).map_err(moved)?;
        } else {
            swap(&staging, &real).map_err(moved)?;
            // An empty folder is not worth keeping.
            if fs::remove_dir(&staging).is_err() {
                let to = folder.join(format!("version-2.{aside}"));
                fs::rename(&staging, &to).map_err(|e| Fault::io("cannot move aside", &to, &e))?;
            }
        }
        fs::File::open(folder)
            .and_then(|f| f.sync_all())
            .map_err(|e| Fault::io("cannot sync", folder, &e))?;
    }
    Ok(())
}

/// Exchanges two folders in one step; where the file system cannot, in two.
fn swap(staging: &Path, real: &Path) -> std::io::Result<()> {
    use rustix::io::Errno;
    match renameat_with(CWD, staging, CWD, real, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let between = staging.with_extension("exchanged");
            fs::rename(real, &between)?;
            fs::rename(staging, real)?;
            fs::rename(&between, staging)
        }
        other => other.map_err(std::io::Error::from),
    }
}

/// A name for what was there that nothing has yet.
fn free(dirs: &Dirs) -> String {
    let taken = |name: &str| {
        [dirs.data(), dirs.data_log()].iter().any(|d| d.join(format!("version-2.{name}")).exists())
            || dirs.own().join(format!("mark.0.{name}")).exists()
            || dirs.own().join(format!("mark.1.{name}")).exists()
    };
    let mut n = 1u32;
    while taken(&format!("before-restore-{n}")) {
        n += 1;
    }
    format!("before-restore-{n}")
}

/// Gives what root wrote to whom the data directory belongs to.
fn own(dirs: &Dirs) -> Result<(), Fault> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    for (folder, inside) in
        [(dirs.data(), dirs.snap()), (dirs.data_log(), dirs.log()), (dirs.data_log(), dirs.own())]
    {
        let owner = fs::metadata(folder).map_err(|e| Fault::io("cannot look at", folder, &e))?;
        let give = |path: &Path| {
            chown(path, Some(owner.uid()), Some(owner.gid()))
                .map_err(|e| Fault::io("cannot give away", path, &e))
        };
        for entry in fs::read_dir(&inside).map_err(|e| Fault::io("cannot list", &inside, &e))? {
            give(&entry.map_err(|e| Fault::io("cannot list", &inside, &e))?.path())?;
        }
        give(&inside)?;
        let myid = folder.join("myid");
        if myid.exists() {
            give(&myid)?;
        }
    }
    Ok(())
}

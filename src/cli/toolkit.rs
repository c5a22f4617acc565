//! `oxkeeper txnlog`: TxnLogToolkit's flags, texts and exit codes: dump a transaction log, recompute broken
//! checksums into a copy, chop a copy at a zxid.
//!
//! `oxkeeper fsck --repair` is the better physician: it knows which damage a checksum hides. This is what
//! scripts of ZooKeeper call by name (`zkTxnLogToolkit.sh`).
//!
//! # Invariants
//!
//! * The log is only read; what is made is a new file beside it, never one that is there.
//! * No more is held than one record whose bytes the file has.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::limits::SNAPSHOT_RECORD_BYTES;
use crate::storage::log::format::{END, HEADER, MAGIC};
use crate::txn;

use super::dump::log::line;

const USAGE: &str = "\
usage: TxnLogToolkit [-dhrvc] <txn_log_file_name> (-z <zxid>)
 -c,--chop         Chop mode: copy the file up to a zxid.
 -d,--dump         Dump mode: print all entries (default).
 -h,--help         Print this text.
 -r,--recover      Recovery mode: recompute the checksums of broken entries into <file>.fixed.
 -v,--verbose      Recovery mode: print all entries, not only repaired ones.
 -y,--yes          Recovery mode: repair without asking.
 -z,--zxid <arg>   With chop: the last zxid that stays.";

/// Exit codes of the toolkit.
const FAILED: i32 = 1;
const BAD_INVOCATION: i32 = 2;

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flags {
    help: bool,
    recover: bool,
    verbose: bool,
    yes: bool,
    chop: bool,
    zxid: Option<i64>,
    files: Vec<PathBuf>,
}

/// Why it ended early: exit code and text.
type Stop = (i32, String);

fn system(e: &io::Error) -> Stop {
    (FAILED, e.to_string())
}

/// Runs `oxkeeper txnlog`; returns the exit code.
pub fn run(words: &[String]) -> i32 {
    let flags = match Flags::parse(words) {
        Ok(flags) => flags,
        Err(why) => {
            eprintln!("{why}\n");
            println!("{USAGE}");
            return FAILED;
        }
    };
    let Some(file) = flags.files.first().filter(|_| !flags.help) else {
        println!("{USAGE}");
        return i32::from(!flags.help);
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match flags.zxid.filter(|_| flags.chop) {
        Some(zxid) => chop(file, zxid, &mut out).map(drop),
        None => dump(file, &flags, &mut io::stdin().lock(), &mut out),
    };
    let flushed = out.flush();
    match (done, flushed) {
        (Ok(()), _) => 0,
        (Err((code, why)), _) => {
            eprintln!("{why}");
            code
        }
    }
}

impl Flags {
    fn parse(words: &[String]) -> Result<Flags, String> {
        let mut flags = Flags::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let letters: Vec<char> = match word.as_str() {
                "--help" => vec!['h'],
                "--recover" => vec!['r'],
                "--verbose" => vec!['v'],
                "--dump" => vec!['d'],
                "--yes" => vec!['y'],
                "--chop" => vec!['c'],
                "--zxid" => vec!['z'],
                long if long.starts_with("--") => return Err(format!("Unrecognized option: {long}")),
                short => match short.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                    Some(letters) => letters.chars().collect(),
                    None => {
                        flags.files.push(PathBuf::from(short));
                        continue;
                    }
                },
            };
            for letter in letters {
                match letter {
                    'h' => flags.help = true,
                    'r' => flags.recover = true,
                    'v' => flags.verbose = true,
                    'd' => {}
                    'y' => flags.yes = true,
                    'c' => flags.chop = true,
                    'z' => {
                        let text = words.next().ok_or("Missing argument for option: z")?;
                        flags.zxid = Some(number(text).ok_or_else(|| format!("{text:?} is no zxid"))?);
                    }
                    _ => return Err(format!("Unrecognized option: {word}")),
                }
            }
        }
        Ok(flags)
    }
}

/// A zxid, decimal or with `0x`.
fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A log file being read, record by record, sound or not.
struct Log {
    input: BufReader<File>,
    header: [u8; HEADER],
}

/// A record: the checksum that it carries, and its bytes.
struct Entry {
    checksum: u64,
    bytes: Vec<u8>,
}

impl Entry {
    fn computed(&self) -> u64 {
        u64::from(simd_adler32::adler32(&self.bytes.as_slice()))
    }

    fn text(&self) -> Result<String, Stop> {
        let record = txn::decode(&self.bytes).map_err(|e| (FAILED, e.to_string()))?;
        Ok(line(&record).trim_end_matches('\n').to_owned())
    }
}

impl Log {
    fn open(path: &Path) -> Result<Log, Stop> {
        let missing = || (FAILED, format!("File doesn't exist or not readable: {}", path.display()));
        let mut input = BufReader::new(File::open(path).map_err(|_| missing())?);
        let mut header = [0; HEADER];
        let whole = input.read_exact(&mut header).is_ok();
        if !whole || !header.starts_with(&MAGIC) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            return Err((BAD_INVOCATION, format!("Invalid magic number for {name}")));
        }
        Ok(Log { input, header })
    }

    fn greeting(&self) -> String {
        let [_, _, _, _, a, b, c, d, database @ ..] = self.header;
        let (version, database) = (i32::from_be_bytes([a, b, c, d]), i64::from_be_bytes(database));
        format!("ZooKeeper Transactional Log File with dbid {database} txnlog format version {version}")
    }

    /// The next record; `None` at the end of the file or of what was written of it.
    fn next(&mut self) -> Result<Option<Entry>, Stop> {
        let mut head = [0; 12];
        match self.input.read_exact(&mut head) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read.map_err(|e| system(&e))?,
        }
        let [sum @ .., a, b, c, d] = head;
        let len = u32::from_be_bytes([a, b, c, d]);
        if len == 0 {
            return Ok(None);
        }
        if len as usize > SNAPSHOT_RECORD_BYTES {
            return Err((FAILED, format!("Unreasonable length = {len}")));
        }
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(u64::from(len)).read_to_end(&mut bytes);
        if read.map_err(|e| system(&e))? < len as usize {
            return Ok(None);
        }
        Ok(Some(Entry { checksum: u64::from_be_bytes(sum), bytes }))
    }

    /// The byte that closes a record. It is looked at after the record was shown, as the toolkit does.
    fn close(&mut self) -> Result<(), Stop> {
        let mut end = [0];
        match self.input.read_exact(&mut end) {
            Ok(()) if end == [END] => Ok(()),
            _ => Err((FAILED, "Last transaction was partial.".to_owned())),
        }
    }
}

/// A new file for records.
struct Copy(BufWriter<File>);

impl Copy {
    fn create(path: &Path) -> io::Result<Copy> {
        OpenOptions::new().write(true).create_new(true).open(path).map(|file| Copy(BufWriter::new(file)))
    }

    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        self.0.write_all(&entry.checksum.to_be_bytes())?;
        self.0.write_all(&u32::try_from(entry.bytes.len()).unwrap_or(u32::MAX).to_be_bytes())?;
        self.0.write_all(&entry.bytes)?;
        self.0.write_all(&[END])
    }

    fn finish(mut self) -> io::Result<()> {
        self.0.flush()?;
        self.0.get_ref().sync_all()
    }
}

/// Prints all entries; in recovery mode copies them with good checksums.
fn dump(path: &Path, flags: &Flags, answers: &mut dyn BufRead, out: &mut dyn Write) -> Result<(), Stop> {
    let mut fixed_path = path.as_os_str().to_owned();
    fixed_path.push(".fixed");
    let fixed_path = PathBuf::from(fixed_path);
    let mut log = Log::open(path)?;
    let mut copy = match flags.recover {
        true => Some(Copy::create(&fixed_path).map_err(|_| {
            (FAILED, format!("Recovery file {} already exists or not writable", fixed_path.display()))
        })?),
        false => None,
    };
    say(out, &log.greeting())?;
    if let Some(copy) = &mut copy {
        copy.0.write_all(&log.header).map_err(|e| system(&e))?;
    }
    let (mut count, mut fixed) = (0, 0);
    while let Some(mut entry) = log.next()? {
        let computed = entry.computed();
        if entry.checksum != computed {
            let yes = copy.is_some() && flags.yes;
            say(out, &format!("CRC {} - {}", if yes { "FIXED" } else { "ERROR" }, entry.text()?))?;
            let fix = yes || (copy.is_some() && ask(answers, out)?);
            if fix {
                entry.checksum = computed;
                fixed += 1;
            }
        }
        if copy.is_none() || flags.verbose {
            say(out, &entry.text()?)?;
        }
        log.close()?;
        if let Some(copy) = &mut copy {
            copy.add(&entry).map_err(|e| system(&e))?;
        }
        count += 1;
    }
    say(out, &format!("EOF reached after {count} txns."))?;
    if let Some(copy) = copy {
        copy.finish().map_err(|e| system(&e))?;
        let file = fixed_path.display();
        say(out, &format!("Recovery file {file} has been written with {fixed} fixed CRC error(s)"))?;
    }
    Ok(())
}

/// Whether to repair; an end of the input aborts.
fn ask(answers: &mut dyn BufRead, out: &mut dyn Write) -> Result<bool, Stop> {
    loop {
        write!(out, "Would you like to fix it (Yes/No/Abort) ? ").map_err(|e| system(&e))?;
        out.flush().map_err(|e| system(&e))?;
        let mut answer = String::new();
        let read = answers.read_line(&mut answer).map_err(|e| system(&e))?;
        match answer.trim().chars().next().map(|c| c.to_ascii_uppercase()) {
            Some('Y') => return Ok(true),
            Some('N') => return Ok(false),
            Some('A') => return Err((0, "Recovery aborted.".to_owned())),
            _ if read == 0 => return Err((FAILED, "No answer: recovery aborted.".to_owned())),
            _ => {}
        }
    }
}

fn say(out: &mut dyn Write, text: &str) -> Result<(), Stop> {
    writeln!(out, "{text}").map_err(|e| system(&e))
}

/// Copies the log up to `zxid` into `<file>.chopped<zxid>`. True if something was cut off.
fn chop(path: &Path, zxid: i64, out: &mut dyn Write) -> Result<bool, Stop> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".chopped{zxid}"));
    let target = PathBuf::from(name);
    let mut log = Log::open(path)?;
    let mut copy = Copy::create(&target).map_err(|e| (FAILED, format!("{}: {e}", target.display())))?;
    say(out, &log.greeting())?;
    copy.0.write_all(&log.header).map_err(|e| system(&e))?;
    let (mut count, mut has_zxid) = (0, false);
    let failed = |text: String| {
        let _ = std::fs::remove_file(&target); // half a copy helps nobody
        (BAD_INVOCATION, text)
    };
    loop {
        let Some(entry) = log.next()? else {
            say(out, &format!("EOF reached after {count} txns."))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(failed(format!("Failed to chop {name}")));
        };
        let computed = entry.computed();
        if entry.checksum != computed {
            return Err(failed(format!("CRC doesn't match {} vs {computed}", entry.checksum)));
        }
        let at = txn::decode(&entry.bytes).map_err(|e| failed(e.to_string()))?.header.zxid.0;
        log.close().map_err(|(_, why)| failed(why))?;
        has_zxid |= at == zxid;
        if at > zxid {
            if count == 0 || !has_zxid {
                return Err(failed(format!("This log does not contain zxid {zxid:x}")));
            }
            copy.finish().map_err(|e| system(&e))?;
            say(out, &format!("Chopping at {zxid:x} new log has {count} records"))?;
            return Ok(true);
        }
        copy.add(&entry).map_err(|e| system(&e))?;
        count += 1;
    }
}

#[cfg(test)]
mod tests;

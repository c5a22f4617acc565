//! The system-call filter of the unit as a program for the kernel, where systemd itself cannot be asked to install it.
//!
//! Built from the unit's own lines and systemd's own lists (`systemd-analyze syscall-filter`), in the form that
//! `bwrap --seccomp` takes.
//!
//! # Invariants
//! * What the unit does not allow fails with the unit's error number; another architecture's calls end the process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::process;

/// `AUDIT_ARCH_X86_64`.
const X86_64: u32 = 0xC000_003E;
/// Numbers of the x32 calls begin here.
const X32: u32 = 0x4000_0000;
const ALLOW: u32 = 0x7FFF_0000;
const KILL: u32 = 0x8000_0000;
const ERROR: u32 = 0x0005_0000;
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
const EAFNOSUPPORT: u32 = 97;

/// Classic BPF: load a word, compare, mask, return.
const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;

/// Namespaces in the flags of clone, unshare and setns.
const NAMESPACES: u32 = 0x7E02_0080;
const WRITE_AND_EXECUTE: u32 = 6;
const EXECUTE: u32 = 4;
const SHM_EXECUTE: u32 = 0o100_000;
const SET_ID: u32 = 0o6000;

/// Numbers of the system calls, from the kernel's header.
fn numbers() -> Result<BTreeMap<String, u32>, String> {
    let path = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";
    let path = if fs::metadata(path).is_ok() { path } else { "/usr/include/asm/unistd_64.h" };
    let text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let define = |line: &str| {
        let (name, number) = line.strip_prefix("#define __NR_")?.split_once(' ')?;
        Some((name.to_owned(), number.trim().parse().ok()?))
    };
    Ok(text.lines().filter_map(define).collect())
}

/// The calls of a group, with those of the groups in it.
fn group(name: &str, into: &mut BTreeSet<String>) -> Result<(), String> {
    let mut command = Command::new("systemd-analyze");
    command.args(["syscall-filter", "--no-pager", name]);
    let (status, text) = process::run(command, None, Duration::from_secs(30))?;
    if !status.success() {
        return Err(format!("systemd-analyze syscall-filter {name}: {text}"));
    }
    for word in text.lines().filter(|line| line.starts_with(' ')).map(str::trim) {
        match word.strip_prefix('@') {
            Some(_) => group(word, into)?,
            None if word.starts_with('#') => {}
            None => drop(into.insert(word.to_owned())),
        }
    }
    Ok(())
}

/// What `SystemCallFilter=` lines leave.
fn allowed(lines: &[String]) -> Result<BTreeSet<String>, String> {
    let mut calls = BTreeSet::new();
    for line in lines {
        let (taken, names) = match line.strip_prefix('~') {
            Some(names) => (true, names),
            None => (false, line.as_str()),
        };
        let mut named = BTreeSet::new();
        names.split_whitespace().try_for_each(|name| group(name, &mut named))?;
        match taken {
            true => calls.retain(|call| !named.contains(call)),
            false => calls.extend(named),
        }
    }
    Ok(calls)
}

/// A program under way.
#[derive(Default)]
struct Program(Vec<u8>);

impl Program {
    fn step(&mut self, code: u16, yes: u8, no: u8, value: u32) {
        self.0.extend(code.to_le_bytes());
        self.0.extend([yes, no]);
        self.0.extend(value.to_le_bytes());
    }

    /// Loads the low word of an argument.
    fn argument(&mut self, number: u32) {
        self.step(LOAD, 0, 0, 16 + 8 * number);
    }

    fn number(&mut self) {
        self.step(LOAD, 0, 0, 0);
    }

    /// `call` fails when all bits of `mask` that are `bits` are set in an argument (any of them, if `bits` is 0).
    fn refuse(&mut self, call: u32, argument: u32, mask: u32, bits: u32) {
        self.step(EQUAL, 0, 5, call);
        self.argument(argument);
        self.step(AND, 0, 0, mask);
        let (yes, no) = if bits == 0 { (1, 0) } else { (0, 1) };
        self.step(EQUAL, yes, no, bits);
        self.step(RETURN, 0, 0, ERROR | EPERM);
        self.number();
    }
}

/// The filter of these `SystemCallFilter=` lines with what `MemoryDenyWriteExecute=`, `RestrictNamespaces=`,
/// `RestrictAddressFamilies=`, `RestrictSUIDSGID=` and `LockPersonality=` add.
///
/// # Errors
/// What of systemd or of the kernel's headers this machine lacks.
pub fn filter(lines: &[String]) -> Result<Vec<u8>, String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("the filter is written for x86-64".to_owned());
    }
    let numbers = numbers()?;
    let call = |name: &str| numbers.get(name).copied().ok_or_else(|| format!("no number of {name}"));
    let mut program = Program::default();
    program.step(LOAD, 0, 0, 4);
    program.step(EQUAL, 1, 0, X86_64);
    program.step(RETURN, 0, 0, KILL);
    program.number();
    program.step(AT_LEAST, 0, 1, X32);
    program.step(RETURN, 0, 0, KILL);
    // Families: AF_UNIX, AF_INET, AF_INET6.
    program.step(EQUAL, 0, 6, call("socket")?);
    program.argument(0);
    program.step(EQUAL, 3, 0, 1);
    program.step(EQUAL, 2, 0, 2);
    program.step(EQUAL, 1, 0, 10);
    program.step(RETURN, 0, 0, ERROR | EAFNOSUPPORT);
    program.number();
    program.refuse(call("mmap")?, 2, WRITE_AND_EXECUTE, WRITE_AND_EXECUTE);
    program.refuse(call("mprotect")?, 2, EXECUTE, EXECUTE);
    program.refuse(call("pkey_mprotect")?, 2, EXECUTE, EXECUTE);
    program.refuse(call("shmat")?, 2, SHM_EXECUTE, SHM_EXECUTE);
    program.refuse(call("clone")?, 0, NAMESPACES, 0);
    program.refuse(call("unshare")?, 0, NAMESPACES, 0);
    for (name, mode) in [("chmod", 1), ("fchmod", 1), ("fchmodat", 2)] {
        program.refuse(call(name)?, mode, SET_ID, 0);
    }
    for (name, error) in [("clone3", ENOSYS), ("setns", EPERM), ("personality", EPERM)] {
        program.step(EQUAL, 0, 1, call(name)?);
        program.step(RETURN, 0, 0, ERROR | error);
    }
    // Calls that this kernel's header does not know cannot be made by their name either.
    for number in allowed(lines)?.iter().filter_map(|name| numbers.get(name)) {
        program.step(EQUAL, 0, 1, *number);
        program.step(RETURN, 0, 0, ALLOW);
    }
    program.step(RETURN, 0, 0, ERROR | EPERM);
    Ok(program.0)
}

//! Three servers of one kind as an ensemble.
//!
//! # Invariants
//!
//! * Members keep their ports and directories over restarts; all of it goes with the [`Trio`].

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::servers::{self, Kind, Programs};

/// How long a member may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(180);
/// How long a member may take to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// One member.
struct Member {
    dir: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

/// An ensemble of three.
pub struct Trio {
    programs: Programs,
    kind: Kind,
    dir: PathBuf,
    members: Vec<Member>,
}

impl Trio {
    /// Starts three servers of `kind`, on copies of the snapshot `seed` if there is one, and waits until all serve.
    pub fn start(programs: &Programs, kind: Kind, seed: Option<&Path>) -> io::Result<Trio> {
        let dir = programs.base.join(format!("trio-{}-{}", kind.name(), std::process::id()));
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let mut trio = Trio { programs: programs.clone(), kind, dir, members: Vec::new() };
        let mut lines = String::new();
        for n in 1..=3 {
            let (quorum, election) = (crate::support::ports::lasting(), crate::support::ports::lasting());
            lines += &format!("server.{n}=127.0.0.1:{quorum}:{election}\n");
        }
        for n in 1..=3 {
            trio.prepare(n, &lines, seed)?;
        }
        for n in 0..3 {
            trio.launch(n)?;
        }
        for n in 0..3 {
            trio.wait(n)?;
        }
        Ok(trio)
    }

    fn prepare(&mut self, n: usize, servers: &str, seed: Option<&Path>) -> io::Result<()> {
        let dir = self.dir.join(n.to_string());
        let data = dir.join("data");
        fs::create_dir_all(data.join("version-2"))?;
        fs::write(data.join("myid"), n.to_string())?;
        if let Some(seed) = seed {
            let copy = data.join("version-2").join(seed.file_name().unwrap_or_default());
            fs::copy(seed, &copy)?;
            File::open(&copy)?.sync_all()?;
        }
        let port = crate::support::ports::lasting();
        let text = format!(
            "tickTime=2000\ninitLimit=30\nsyncLimit=10\ndataDir={}\nclientPort={port}\n\
             clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n\
             4lw.commands.whitelist=*\n{servers}",
            data.display()
        );
        fs::write(dir.join("zoo.cfg"), text)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        self.members.push(Member { dir, address, child: None });
        Ok(())
    }

    fn member(&mut self, n: usize) -> io::Result<&mut Member> {
        self.members.get_mut(n).ok_or_else(|| io::Error::other("an ensemble of three"))
    }

    /// Starts a member; does not wait.
    pub fn launch(&mut self, n: usize) -> io::Result<()> {
        let (programs, kind) = (self.programs.clone(), self.kind);
        let member = self.member(n)?;
        let log = File::options().create(true).append(true).open(member.dir.join("server.log"))?;
        let config = member.dir.join("zoo.cfg");
        let mut command =
            servers::command(&programs, kind, &member.dir, &config, member.address.port(), &[])?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        member.child = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until a member serves.
    pub fn wait(&mut self, n: usize) -> io::Result<()> {
        let begun = Instant::now();
        let kind = self.kind;
        let member = self.member(n)?;
        loop {
            if mode(member.address).is_some() {
                return Ok(());
            }
            let ended = member.child.as_mut().map_or(Ok(None), Child::try_wait)?;
            if ended.is_some() || begun.elapsed() > START_LIMIT {
                let log = fs::read_to_string(member.dir.join("server.log")).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let tail = lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n");
                return Err(io::Error::other(format!("{} {} does not serve:\n{tail}", kind.name(), n + 1)));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Client addresses of all members.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(self.members.iter().map(|m| m.address).collect())
    }

    /// Process ids of all members.
    pub fn pids(&self) -> Vec<u32> {
        self.members.iter().filter_map(|m| m.child.as_ref().map(Child::id)).collect()
    }

    /// Which member leads.
    pub fn leader(&self) -> io::Result<usize> {
        let begun = Instant::now();
        loop {
            let leads = |m: &Member| mode(m.address).is_some_and(|mode| mode == "leader");
            if let Some(n) = self.members.iter().position(leads) {
                return Ok(n);
            }
            if begun.elapsed() > START_LIMIT {
                return Err(io::Error::other("nobody leads"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The address of a member that follows.
    pub fn follower(&self) -> io::Result<SocketAddr> {
        let leader = self.leader()?;
        let follower = self.members.iter().enumerate().find(|(n, _)| *n != leader);
        follower.map(|(_, m)| m.address).ok_or_else(|| io::Error::other("nobody follows"))
    }

    /// Kills a member at once.
    pub fn kill(&mut self, n: usize) -> io::Result<()> {
        if let Some(mut child) = self.member(n)?.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Asks a member to end; does not wait.
    pub fn terminate(&mut self, n: usize) -> io::Result<()> {
        let pid = self.member(n)?.child.as_ref().and_then(|c| i32::try_from(c.id()).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        Ok(())
    }

    /// Waits until a member that was asked has ended.
    pub fn ended(&mut self, n: usize) -> io::Result<()> {
        let Some(mut child) = self.member(n)?.child.take() else { return Ok(()) };
        let begun = Instant::now();
        while child.try_wait()?.is_none() {
            if begun.elapsed() > STOP_LIMIT {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::other(format!("member {} did not end within {STOP_LIMIT:?}", n + 1)));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Trio {
    fn drop(&mut self) {
        for n in 0..self.members.len() {
            let _ = self.kill(n); // their data goes, too
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What a server says it is, if it serves.
fn mode(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"srvr").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.lines().find_map(|l| l.strip_prefix("Mode: ")).map(str::to_owned)
}

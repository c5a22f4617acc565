//! One member: its configuration, its files, its process.
//!
//! # Invariants
//! * Ports, directory and number stay the same whatever kind of server runs on them: a member is replaced in its
//!   place.
//! * `myid` and zoo.cfg are written before each start.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::network::Namespace;
use super::site::Site;
use crate::support::dirs::Dir;
use crate::support::process::Process;
use crate::support::{Kind, Spec, fourlw, java, ox, ports};

/// How long one exchange of a four-letter word may take.
const WORD: Duration = Duration::from_secs(2);

/// What a member says it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// It leads.
    Leader,
    /// It follows.
    Follower,
    /// It observes.
    Observer,
}

/// A member of an ensemble.
pub struct Member {
    /// Its number, from 1.
    pub id: u64,
    /// Which server runs on it.
    pub kind: Kind,
    /// Without a vote.
    pub observer: bool,
    /// Its host as server lines name it.
    pub host: String,
    /// Lines of its own for zoo.cfg, beside those that all members have.
    pub lines: Vec<String>,
    /// Where it lives, if not on this machine's loopback.
    pub namespace: Option<Namespace>,
    ip: IpAddr,
    client: u16,
    quorum: u16,
    election: u16,
    home: Dir,
    data: PathBuf,
    process: Option<Process>,
}

impl Member {
    /// A member with ports and a directory of its own, not running: in a namespace, at an address of its own of
    /// loopback, or at localhost.
    pub fn new(
        id: u64,
        kind: Kind,
        observer: bool,
        namespace: Option<Namespace>,
        own_address: bool,
    ) -> Member {
        let home = Dir::new(&format!("member{id}"));
        let last = if own_address { u8::try_from(id).expect("a small number") } else { 1 };
        let ip = namespace.as_ref().map_or(IpAddr::from([127, 0, 0, last]), |n| n.address);
        let named = namespace.is_none() && !own_address;
        let host = if named { "localhost".to_owned() } else { ip.to_string() };
        let [client, quorum, election] = [ports::lasting(), ports::lasting(), ports::lasting()];
        let data = home.path().join("data");
        Member {
            id,
            kind,
            observer,
            host,
            lines: Vec::new(),
            namespace,
            ip,
            client,
            quorum,
            election,
            home,
            data,
            process: None,
        }
    }

    /// Its server line, without the client's part.
    pub fn server_line(&self) -> String {
        format!("server.{}={}", self.id, self.server_value())
    }

    /// What stands behind `server.N=`.
    pub fn server_value(&self) -> String {
        let role = if self.observer { ":observer" } else { "" };
        format!("{}:{}:{}{role}", self.host, self.quorum, self.election)
    }

    /// Its address for clients.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.client)
    }

    /// Its client port.
    pub fn port(&self) -> u16 {
        self.client
    }

    /// Quorum and election port.
    pub fn peer_ports(&self) -> [u16; 2] {
        [self.quorum, self.election]
    }

    /// Gives it other ports in all its lines; a running server learns of them by a reconfiguration.
    pub fn take_new_ports(&mut self) {
        [self.client, self.quorum, self.election] = [ports::lasting(), ports::lasting(), ports::lasting()];
    }

    /// Does somebody listen on this port of its host?
    pub fn listens(&self, port: u16) -> bool {
        std::net::TcpStream::connect_timeout(&SocketAddr::new(self.ip, port), WORD).is_ok()
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Keeps its data elsewhere (a small file system) from its next start on.
    pub fn put_data_in(&mut self, dir: &Path) {
        self.data = dir.to_path_buf();
    }

    /// Its zoo.cfg, once it was started.
    pub fn config(&self) -> PathBuf {
        self.home.path().join("zoo.cfg")
    }

    /// Its directory for whatever a test keeps beside.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes `myid` and zoo.cfg.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write_config(&self, site: &Site, servers: &[String], more: &[String]) -> Result<PathBuf, String> {
        std::fs::create_dir_all(&self.data).map_err(|e| format!("{}: {e}", self.data.display()))?;
        let myid = self.data.join("myid");
        std::fs::write(&myid, self.id.to_string()).map_err(|e| format!("{}: {e}", myid.display()))?;
        let mut spec = Spec::new();
        let fixed = [
            "tickTime=500".to_owned(),
            "initLimit=40".to_owned(),
            "syncLimit=10".to_owned(),
            "maxSessionTimeout=120000".to_owned(),
            format!("clientPortAddress={}", self.ip),
        ];
        let lines = fixed.into_iter().chain(site.lines(&self.host)).chain(servers.iter().cloned());
        spec.cfg = lines.collect();
        if self.observer {
            spec.cfg.push("peerType=observer".to_owned());
        }
        // A line of the test's own replaces one of these; `{home}` in it is the member's directory.
        let home = self.home.path().display().to_string();
        let more = more.iter().chain(&self.lines).map(|line| line.replace("{home}", &home));
        let more: Vec<String> = more.collect();
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        spec.cfg.retain(|line| !more.iter().any(|own| key(own) == key(line)));
        spec.cfg.extend(more);
        Ok(self.home.write("zoo.cfg", &spec.zoo_cfg(&self.data, self.client)))
    }

    /// Starts the server on what [`Member::write_config`] wrote; does not wait until it serves.
    ///
    /// # Errors
    /// Why the machine has no such server.
    pub fn launch(&mut self, site: &Site, config: &Path) -> Result<(), String> {
        let spec = Spec { flags: site.flags(&self.host), env: site.env(), heap_mib: 192, ..Spec::default() };
        let command = match self.kind {
            Kind::Oxkeeper => ox::serve_command(&spec, config),
            java => java::serve_command(java, &spec, config)?,
        };
        let command = self.within(command);
        let log = self.home.path().join("log");
        self.process = Some(Process::start(command, &log).map_err(|e| format!("{:?}: {e}", self.kind))?);
        Ok(())
    }

    /// The command inside the member's namespace. `ip netns exec` becomes the command: the process id is the server's.
    fn within(&self, command: Command) -> Command {
        let Some(namespace) = &self.namespace else { return command };
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &namespace.name]).arg(command.get_program()).args(command.get_args());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }

    /// A four-letter word's answer; what went wrong instead of it.
    pub fn ask(&self, word: &str) -> Result<String, String> {
        let address = SocketAddr::new(self.ip, self.client);
        fourlw::ask_at(address, word, WORD).map_err(|e| format!("{word} of server {}: {e}", self.id))
    }

    /// What it is, once it serves.
    pub fn mode(&self) -> Option<Mode> {
        match fourlw::value(&self.ask("srvr").ok()?, "Mode")? {
            "leader" => Some(Mode::Leader),
            "follower" => Some(Mode::Follower),
            "observer" => Some(Mode::Observer),
            _ => None,
        }
    }

    /// The last transaction it applied, by `srvr`.
    pub fn zxid(&self) -> Option<i64> {
        let answer = self.ask("srvr").ok()?;
        i64::from_str_radix(fourlw::value(&answer, "Zxid")?.strip_prefix("0x")?, 16).ok()
    }

    /// Waits until it serves.
    ///
    /// # Errors
    /// The end of its log, if it ended or does not serve within `limit`.
    pub fn wait_serving(&mut self, limit: Duration) -> Result<Mode, String> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(mode) = self.mode() {
                return Ok(mode);
            }
            let ended = self.process.as_mut().and_then(Process::ended);
            if ended.is_some() || Instant::now() > deadline {
                let why = ended
                    .map_or_else(|| format!("does not serve within {limit:?}"), |s| format!("ended: {s}"));
                return Err(format!("server {} ({:?}) {why}:\n{}", self.id, self.kind, self.log_end()));
            }
            sleep(Duration::from_millis(25));
        }
    }

    /// Whether its process runs.
    pub fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(|p| p.ended().is_none())
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// SIGTERM; SIGKILL after ten seconds. Its exit status.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.process.take().and_then(|mut p| p.stop())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Any signal.
    pub fn signal(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
        }
    }

    /// Waits for its end by itself.
    pub fn wait_end(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.process.as_mut().and_then(|p| p.wait(limit))
    }

    /// What all servers on it logged.
    pub fn log(&self) -> String {
        std::fs::read(self.home.path().join("log"))
            .map_or_else(|e| e.to_string(), |b| String::from_utf8_lossy(&b).into_owned())
    }

    /// The last lines of its log.
    pub fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

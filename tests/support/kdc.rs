//! A private Kerberos realm on loopback: MIT's own KDC, its principals, keytabs and tickets.
//!
//! # Invariants
//! * Everything lies in one temporary directory; the machine's krb5.conf, keytab and ticket caches are never read.
//! * Neither side asks a name server, and tickets travel over TCP alone.
//! * The KDC dies with its guard, by its process id.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::dirs::Dir;
use super::ports;
use super::process::{self, Process};

/// How long a Kerberos command may take.
const COMMAND: Duration = Duration::from_secs(30);
/// How long the KDC may take until it accepts connections.
const START: Duration = Duration::from_secs(30);
/// Encryption types of the realm's keys, strongest first.
const ENCTYPES: &str =
    "aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal aes256-cts-hmac-sha384-192:normal";

/// A realm with its running KDC.
pub struct Realm {
    name: String,
    /// KDC ports of this realm and of those it knows.
    kdcs: BTreeMap<String, u16>,
    kdc: Option<Process>,
    counter: AtomicU32,
    dir: Dir,
}

impl Realm {
    /// A fresh realm of this name (`ZK.TEST`) with its KDC running.
    ///
    /// # Errors
    /// What of Kerberos this machine lacks, or the log of a KDC that did not start.
    pub fn start(name: &str) -> Result<Realm, String> {
        let dir = Dir::new("realm");
        let kdcs = BTreeMap::from([(name.to_owned(), ports::free())]);
        let mut realm = Realm { name: name.to_owned(), kdcs, kdc: None, counter: AtomicU32::new(0), dir };
        realm.write_krb5_conf();
        realm.write_kdc_conf();
        let secret = realm.secret();
        realm.run("kdb5_util", &["-r", name, "create", "-s", "-P", &secret], None)?;
        realm.kdc_start()?;
        Ok(realm)
    }

    /// The realm's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its krb5.conf, for whoever takes part in it.
    pub fn krb5_conf(&self) -> PathBuf {
        self.dir.path().join("krb5.conf")
    }

    /// A path in the realm's directory.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// The environment of a program that takes part: its krb5.conf and nobody's tickets.
    pub fn env(&self) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.display().to_string();
        vec![
            ("KRB5_CONFIG".to_owned(), text(self.krb5_conf())),
            ("KRB5_KDC_PROFILE".to_owned(), text(self.path("kdc.conf"))),
            ("KRB5CCNAME".to_owned(), format!("FILE:{}", text(self.path("no-cache")))),
            ("KRB5_KTNAME".to_owned(), format!("FILE:{}", text(self.path("no-keytab")))),
        ]
    }

    /// [`Realm::env`] with the tickets of `cache`.
    pub fn env_with(&self, cache: &Path) -> Vec<(String, String)> {
        let mut env = self.env();
        env.retain(|(name, _)| name != "KRB5CCNAME");
        env.push(("KRB5CCNAME".to_owned(), format!("FILE:{}", cache.display())));
        env
    }

    /// System properties of a Java program that takes part.
    pub fn java_flags(&self) -> Vec<String> {
        vec![
            format!("-Djava.security.krb5.conf={}", self.krb5_conf().display()),
            "-Dsun.security.krb5.disableReferrals=true".to_owned(),
            "-Djavax.security.auth.useSubjectCredsOnly=true".to_owned(),
        ]
    }

    /// Starts the KDC again after [`Realm::kdc_stop`].
    ///
    /// # Errors
    /// The log of a KDC that did not start.
    pub fn kdc_start(&mut self) -> Result<(), String> {
        let mut command = self.command("krb5kdc")?;
        command.args(["-n", "-r", &self.name]).arg("-P").arg(self.path("kdc.pid"));
        let mut kdc = Process::start(command, &self.path("kdc.out")).map_err(|e| format!("krb5kdc: {e}"))?;
        let port = self.kdcs.get(&self.name).copied().unwrap_or_default();
        let deadline = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if kdc.ended().is_some() || Instant::now() > deadline {
                return Err(format!("krb5kdc does not serve port {port}:\n{}{}", kdc.log(), self.kdc_log()));
            }
            sleep(Duration::from_millis(10));
        }
        self.kdc = Some(kdc);
        Ok(())
    }

    /// Stops the KDC: no ticket is to be had any more.
    pub fn kdc_stop(&mut self) {
        self.kdc = None;
    }

    /// What the KDC logged.
    pub fn kdc_log(&self) -> String {
        std::fs::read_to_string(self.path("kdc.log")).unwrap_or_default()
    }

    /// Adds principals with random keys; one that exists is left as it is.
    ///
    /// # Errors
    /// What kadmin.local said.
    pub fn principals(&self, names: &[&str]) -> Result<(), String> {
        names.iter().try_for_each(|name| match self.kadmin(&format!("addprinc -randkey {name}")) {
            Err(why) if why.contains("already exists") => Ok(()),
            other => other.map(drop),
        })
    }

    /// A keytab with the keys of these principals, which are added where they are missing.
    ///
    /// # Errors
    /// What kadmin.local said.
    pub fn keytab(&self, principals: &[&str]) -> Result<PathBuf, String> {
        self.principals(principals)?;
        let path = self.path(&format!("{}.keytab", self.next()));
        principals.iter().try_for_each(|name| self.export(name, &path))?;
        Ok(path)
    }

    /// Adds the present keys of a principal to a keytab.
    ///
    /// # Errors
    /// What kadmin.local said.
    pub fn export(&self, principal: &str, keytab: &Path) -> Result<(), String> {
        self.kadmin(&format!("ktadd -norandkey -k {} {principal}", keytab.display())).map(drop)
    }

    /// Gives a principal a new key in the KDC alone: keytabs are behind until [`Realm::export`].
    ///
    /// # Errors
    /// What kadmin.local said.
    pub fn bump_key(&self, principal: &str) -> Result<(), String> {
        self.kadmin(&format!("cpw -randkey {principal}")).map(drop)
    }

    /// Adds a principal with a password, or changes the password of one.
    ///
    /// # Errors
    /// What kadmin.local said.
    pub fn user(&self, name: &str, password: &str) -> Result<(), String> {
        match self.kadmin(&format!("addprinc -pw \"{password}\" {name}")) {
            Err(why) if why.contains("already exists") => {
                self.kadmin(&format!("cpw -pw \"{password}\" {name}"))
            }
            other => other,
        }
        .map(drop)
    }

    /// One command of kadmin.local; what it printed.
    ///
    /// # Errors
    /// What it printed, if it failed.
    pub fn kadmin(&self, query: &str) -> Result<String, String> {
        let printed = self.run("kadmin.local", &["-r", &self.name, "-q", query], None)?;
        // Older versions end with 0 whatever happened.
        if printed.lines().any(|line| line.contains(": ") && line.contains(" while ")) {
            return Err(format!("kadmin.local {query}: {printed}"));
        }
        Ok(printed)
    }

    /// Logs in from a keytab into a cache of its own; `options` are further ones of kinit, such as `-l 5s`.
    ///
    /// # Errors
    /// What kinit said.
    pub fn kinit_keytab(&self, principal: &str, keytab: &Path, options: &[&str]) -> Result<PathBuf, String> {
        let keytab = keytab.display().to_string();
        self.kinit(principal, &[&["-k", "-t", &keytab], options].concat(), None)
    }

    /// Logs in with a password into a cache of its own.
    ///
    /// # Errors
    /// What kinit said.
    pub fn kinit_password(
        &self,
        principal: &str,
        password: &str,
        options: &[&str],
    ) -> Result<PathBuf, String> {
        let input = self.dir.write(&format!("{}.input", self.next()), &format!("{password}\n"));
        self.kinit(principal, options, Some(&input))
    }

    fn kinit(&self, principal: &str, options: &[&str], input: Option<&Path>) -> Result<PathBuf, String> {
        let cache = self.path(&format!("{}.cache", self.next()));
        let name = format!("FILE:{}", cache.display());
        self.run("kinit", &[&["-c", &name], options, &[principal]].concat(), input)?;
        Ok(cache)
    }

    /// Fetches a ticket for `service` into the cache, so that the KDC is not needed any more.
    ///
    /// # Errors
    /// What kvno said.
    pub fn service_ticket(&self, cache: &Path, service: &str) -> Result<(), String> {
        let mut command = self.command("kvno")?;
        command.arg(service).env("KRB5CCNAME", format!("FILE:{}", cache.display()));
        finished("kvno", process::run(command, None, COMMAND)?).map(drop)
    }

    /// Lets users of `other` have tickets for services of this realm, as an administrator of both would.
    ///
    /// # Errors
    /// What kadmin.local said.
    pub fn trust(&mut self, other: &mut Realm) -> Result<(), String> {
        let (ticket, password) = (format!("krbtgt/{}@{}", self.name, other.name), self.secret());
        for realm in [&*self, &*other] {
            realm.kadmin(&format!("addprinc -pw \"{password}\" {ticket}"))?;
        }
        self.kdcs.append(&mut other.kdcs.clone());
        other.kdcs.append(&mut self.kdcs.clone());
        self.write_krb5_conf();
        other.write_krb5_conf();
        Ok(())
    }

    /// Runs a Kerberos program in this realm; what it printed.
    ///
    /// # Errors
    /// What it printed, if it failed; or that this machine does not have it.
    pub fn run(&self, program: &str, args: &[&str], input: Option<&Path>) -> Result<String, String> {
        let mut command = self.command(program)?;
        command.args(args);
        finished(program, process::run(command, input, COMMAND)?)
    }

    fn command(&self, program: &str) -> Result<Command, String> {
        let mut command = Command::new(find(program)?);
        command.env("LC_ALL", "C").envs(self.env());
        Ok(command)
    }

    fn next(&self) -> u32 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// A password that nobody has to know.
    fn secret(&self) -> String {
        let mut bytes = [0; 18];
        getrandom::fill(&mut bytes).expect("the machine has entropy");
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    fn write_krb5_conf(&self) {
        let realm =
            |(name, port): (&String, &u16)| format!("  {name} = {{\n    kdc = 127.0.0.1:{port}\n  }}\n");
        let realms: String = self.kdcs.iter().map(realm).collect();
        let (name, dir) = (&self.name, self.dir.path().display());
        let text = format!(
            "[libdefaults]\n  default_realm = {name}\n  dns_lookup_realm = false\n  dns_lookup_kdc = false\n  \
             dns_canonicalize_hostname = false\n  rdns = false\n  qualify_shortname = \"\"\n  \
             udp_preference_limit = 1\n  ticket_lifetime = 10m\n  renew_lifetime = 1h\n  forwardable = true\n  \
             default_ccache_name = FILE:{dir}/no-cache\n[realms]\n{realms}[domain_realm]\n  \
             localhost = {name}\n  127.0.0.1 = {name}\n"
        );
        self.dir.write("krb5.conf", &text);
    }

    fn write_kdc_conf(&self) {
        let (name, dir) = (&self.name, self.dir.path().display());
        let port = self.kdcs.get(name).copied().unwrap_or_default();
        let text = format!(
            "[kdcdefaults]\n  kdc_listen = 127.0.0.1:{port}\n  kdc_tcp_listen = 127.0.0.1:{port}\n[realms]\n  \
             {name} = {{\n    database_name = {dir}/principal\n    key_stash_file = {dir}/stash\n    \
             acl_file = {dir}/kadm5.acl\n    max_life = 1d\n    max_renewable_life = 2d\n    \
             supported_enctypes = {ENCTYPES}\n  }}\n[logging]\n  kdc = FILE:{dir}/kdc.log\n  \
             default = FILE:{dir}/krb5lib.log\n"
        );
        self.dir.write("kdc.conf", &text);
        self.dir.write("kadm5.acl", "");
    }
}

/// Shifts the clock of whoever logs in with the tickets of a cache: libkrb5 believes the offset to its KDC that
/// the cache notes. The service's ticket must be in the cache already ([`Realm::service_ticket`]).
pub fn shift_clock(cache: &Path, seconds: i32) {
    let old = std::fs::read(cache).expect("a ticket cache");
    assert_eq!(old.get(..2), Some(&[5, 4][..]), "a ticket cache of format 4");
    let header = usize::from(u16::from_be_bytes([old[2], old[3]]));
    let mut new = vec![5, 4, 0, 12, 0, 1, 0, 8];
    new.extend(seconds.to_be_bytes());
    new.extend(0_i32.to_be_bytes());
    new.extend_from_slice(&old[4 + header..]);
    std::fs::write(cache, new).expect("a ticket cache can be written");
}

/// A Kerberos program of this machine.
fn find(program: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons and administrators' tools are not on everybody's path.
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from));
    let mut found = dirs.map(|dir| dir.join(program)).filter(|path| path.is_file());
    found.next().ok_or_else(|| format!("{program} is not installed (MIT Kerberos: KDC, kadmin.local, kinit)"))
}

fn finished(program: &str, (status, printed): (std::process::ExitStatus, String)) -> Result<String, String> {
    if status.success() { Ok(printed) } else { Err(format!("{program}: {status}: {printed}")) }
}

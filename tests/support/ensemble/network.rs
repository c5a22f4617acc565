//! Members in network namespaces of their own, joined by a bridge that the test cuts and slows.
//!
//! # Invariants
//! * Nothing of this machine's own network is changed: one bridge with a private address, removed with its guard.
//! * A cut drops what is sent, without telling either side.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

/// A member's place in the network.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Name of the namespace.
    pub name: String,
    /// The bridge's end of its cable.
    pub port: String,
    /// Its address.
    pub address: IpAddr,
}

/// A bridge and what hangs on it.
pub struct Network {
    bridge: String,
    namespaces: Vec<Namespace>,
}

static NEXT: AtomicU8 = AtomicU8::new(0);

impl Network {
    /// A bridge with `count` namespaces.
    ///
    /// # Errors
    /// Why this machine does not allow it.
    pub fn new(count: usize) -> Result<Network, String> {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{:x}{n:x}", std::process::id());
        // 198.18/15 is set apart for tests of networks: nobody's own.
        let net = |host: u8| Ipv4Addr::new(198, 18, (std::process::id() % 250) as u8 ^ n, host);
        let mut network = Network { bridge: format!("oxb{tag}"), namespaces: Vec::new() };
        ip(&["link", "add", &network.bridge, "type", "bridge"])?;
        ip(&["addr", "add", &format!("{}/24", net(254)), "dev", &network.bridge])?;
        ip(&["link", "set", &network.bridge, "up"])?;
        for host in (1..=count).filter_map(|host| u8::try_from(host).ok()) {
            let name = format!("ox{tag}-{host}");
            let (port, inside) = (format!("ov{tag}{host}"), format!("oi{tag}{host}"));
            ip(&["netns", "add", &name])?;
            let address = net(host);
            network.namespaces.push(Namespace {
                name: name.clone(),
                port: port.clone(),
                address: address.into(),
            });
            ip(&["link", "add", &port, "type", "veth", "peer", "name", &inside])?;
            ip(&["link", "set", &inside, "netns", &name])?;
            ip(&["-n", &name, "addr", "add", &format!("{address}/24"), "dev", &inside])?;
            ip(&["-n", &name, "link", "set", &inside, "up"])?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
            ip(&["link", "set", &port, "up"])?;
            network.join(&port)?;
        }
        Ok(network)
    }

    /// The namespaces, for the members.
    pub fn take(&mut self) -> Vec<Namespace> {
        self.namespaces.clone()
    }

    fn port(&self, id: u64) -> &str {
        &self.namespaces[usize::try_from(id).expect("a small number") - 1].port
    }

    fn join(&self, port: &str) -> Result<(), String> {
        ip(&["link", "set", port, "master", &self.bridge])
    }

    /// Takes a member off the bridge: nobody reaches it, clients neither.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn isolate(&self, id: u64) -> Result<(), String> {
        ip(&["link", "set", self.port(id), "nomaster"])
    }

    /// Cuts these members from each other alone; clients and all others still reach both.
    ///
    /// # Errors
    /// What `bridge` said.
    pub fn cut(&self, a: u64, b: u64) -> Result<(), String> {
        [a, b]
            .iter()
            .try_for_each(|id| run("bridge", &["link", "set", "dev", self.port(*id), "isolated", "on"]))
    }

    /// Lets a member send and be sent only so many kilobits a second.
    ///
    /// # Errors
    /// What `tc` said.
    pub fn slow(&self, id: u64, kbit: u32) -> Result<(), String> {
        let rate = format!("{kbit}kbit");
        let shape = ["root", "tbf", "rate", &rate, "burst", "16kb", "latency", "400ms"];
        run("tc", &[&["qdisc", "add", "dev", self.port(id)][..], &shape].concat())
    }

    /// Ends all cuts and shapes.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn heal(&self) -> Result<(), String> {
        for namespace in &self.namespaces {
            self.join(&namespace.port)?;
            run("bridge", &["link", "set", "dev", &namespace.port, "isolated", "off"])?;
            // There is none on most of them.
            let _ = run("tc", &["qdisc", "del", "dev", &namespace.port, "root"]);
        }
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            let _ = ip(&["link", "del", &namespace.port]);
            let _ = ip(&["netns", "del", &namespace.name]);
        }
        let _ = ip(&["link", "del", &self.bridge]);
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    run("ip", args)
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let named = || format!("{program} {}: {}", args.join(" "), said.trim());
    if output.status.success() { Ok(()) } else { Err(named()) }
}

//! The KDCs of a realm: which ones krb5.conf names, whether they answer, and how their clock stands.
//!
//! # Invariants
//!
//! * Every KDC is asked at once, so that a dead one costs its time limit and no more.
//! * A question changes nothing at the KDC.

use std::net::SocketAddr;
use std::time::Duration;

use super::codes::Doc;
use super::here::Here;
use super::report::{Finding, Report};
use crate::auth::reason::Reason;
use crate::kerberos::kdc::{AES, Answer, Asked, Question, Transport, addresses, ask, error_text};
use crate::os::clock;

/// Longest wait for a name, a connection or an answer.
const LIMIT: Duration = Duration::from_secs(3);
/// Kerberos' port where krb5.conf names none.
const PORT: u16 = 88;
/// KDCs of a realm that are asked.
const MOST: usize = 16;
/// Offsets of clocks that are worth a word, seconds.
const WARN_S: i64 = 60;
/// `clockskew` unless krb5.conf sets it, seconds.
const SKEW_S: i64 = 300;
/// A request beyond what one Ethernet frame carries, bytes.
const LONG: usize = 1600;
/// Whom to ask for when nobody in particular is meant.
const NOBODY: &str = "oxkeeper-doctor";

/// A KDC as krb5.conf names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    host: String,
    port: u16,
}

/// A KDC that answers.
#[derive(Clone, Copy, Debug)]
pub struct Kdc {
    address: SocketAddr,
    transport: Transport,
    /// Its clock minus ours, seconds.
    pub offset: i64,
}

impl Kdc {
    /// Puts a question.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub fn ask(&self, question: &Question<'_>) -> Result<Answer, String> {
        let message = question.encode(now() + self.offset);
        ask(self.address, self.transport, &message, LIMIT).answer
    }

    /// Whether the realm's database has a principal; `None` if the KDC does not say.
    pub fn knows(&self, name: &str, realm: &str) -> Option<bool> {
        let krbtgt = format!("krbtgt/{realm}");
        let enctypes = &super::enctypes::ALL;
        let question = Question { client: name, service: &krbtgt, realm, enctypes, proof: None, filler: 0 };
        match self.ask(&question) {
            Ok(Answer::Error(e)) if e.code == 6 => Some(false),
            Ok(Answer::Error(e)) if e.code == 68 => None,
            Ok(_) => Some(true),
            Err(_) => None,
        }
    }
}

/// What one KDC did.
struct Probe {
    named: Named,
    address: Result<SocketAddr, String>,
    tcp: Option<Asked>,
    udp: Option<Asked>,
    udp_long: Option<Asked>,
}

/// Seconds of Unix time.
pub fn now() -> i64 {
    clock::wall_ms().div_euclid(1000)
}

/// Asks every KDC of a realm and reports; the first that answers.
pub fn examine(here: &Here, realm: &str, report: &mut Report) -> Option<Kdc> {
    let named = named(here, realm);
    if named.is_empty() {
        let mut what = format!("realm {realm} has no kdc line");
        if here.krb5.switch("dns_lookup_kdc", true) {
            what.push_str(&format!(
                "; libkrb5 would ask DNS for _kerberos._udp.{realm}, which is not tried here"
            ));
        }
        let file = here.krb5_paths.first().map(|p| p.display().to_string()).unwrap_or_default();
        let cure = format!(
            "add to {file}: [realms] {realm} = {{ kdc = <host>:88 }} (FusionInsight and MRS: port 21732)"
        );
        report.find(Finding::error(Doc::NoKdc, what).cure(cure));
        return None;
    }
    let probes = probes(named, realm, true);
    let alive: Vec<Kdc> = probes.iter().filter_map(alive).collect();
    for probe in &probes {
        tell(probe, !alive.is_empty(), here, realm, report);
    }
    let kdc = alive.first().copied()?;
    clocks(here, kdc, report);
    Some(kdc)
}

/// A KDC that answers, without a word about the others.
pub fn find(here: &Here, realm: &str) -> Option<Kdc> {
    if let Some(found) = here.found.borrow().get(realm) {
        return *found;
    }
    let found = probes(named(here, realm), realm, false).iter().find_map(alive);
    here.found.borrow_mut().insert(realm.to_owned(), found);
    found
}

fn named(here: &Here, realm: &str) -> Vec<Named> {
    here.krb5.all(&["realms", realm, "kdc"]).filter_map(split).take(MOST).collect()
}

/// `host`, `host:port`, `[::1]:port`, with a transport in front or not.
fn split(text: &str) -> Option<Named> {
    let text = text.strip_prefix("tcp/").or_else(|| text.strip_prefix("udp/")).unwrap_or(text);
    if text.starts_with("http") {
        return None;
    }
    let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    let port = port.map_or(Some(PORT), |p| p.parse().ok())?;
    Some(Named { host: host.to_owned(), port })
}

/// Asks all at once.
fn probes(named: Vec<Named>, realm: &str, udp: bool) -> Vec<Probe> {
    std::thread::scope(|scope| {
        let running: Vec<_> =
            named.into_iter().map(|named| scope.spawn(move || probe(named, realm, udp))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn probe(named: Named, realm: &str, udp: bool) -> Probe {
    let address = addresses(&named.host, named.port, LIMIT).map(|found| {
        // IPv4 first: KDCs seldom listen on both.
        found.iter().find(|a| a.is_ipv4()).or(found.first()).copied()
    });
    let address = address.and_then(|a| a.ok_or_else(|| "no address".to_owned()));
    let Ok(kdc) = address else { return Probe { named, address, tcp: None, udp: None, udp_long: None } };
    let krbtgt = format!("krbtgt/{realm}");
    let message = |filler| {
        let enctypes = &AES;
        Question { client: NOBODY, service: &krbtgt, realm, enctypes, proof: None, filler }.encode(now())
    };
    let (short, long) = (message(0), message(LONG));
    let twice = |message: &[u8]| {
        // A datagram may be lost once.
        let half = LIMIT / 2;
        let first = ask(kdc, Transport::Udp, message, half);
        if first.answer.is_ok() { first } else { ask(kdc, Transport::Udp, message, half) }
    };
    std::thread::scope(|scope| {
        let small = udp.then(|| scope.spawn(|| twice(&short)));
        let large = udp.then(|| scope.spawn(|| twice(&long)));
        let tcp = Some(ask(kdc, Transport::Tcp, &short, LIMIT));
        let join =
            |thread: Option<std::thread::ScopedJoinHandle<'_, Asked>>| thread.and_then(|t| t.join().ok());
        Probe { named, address, tcp, udp: join(small), udp_long: join(large) }
    })
}

fn alive(probe: &Probe) -> Option<Kdc> {
    let address = *probe.address.as_ref().ok()?;
    let of = |asked: &Option<Asked>, transport| match &asked.as_ref()?.answer {
        Ok(Answer::Error(error)) if error.time != 0 => {
            Some(Kdc { address, transport, offset: error.time - now() })
        }
        Ok(_) => Some(Kdc { address, transport, offset: 0 }),
        Err(_) => None,
    };
    of(&probe.tcp, Transport::Tcp).or_else(|| of(&probe.udp, Transport::Udp))
}

fn tell(probe: &Probe, others: bool, here: &Here, realm: &str, report: &mut Report) {
    let Named { host, port } = &probe.named;
    let kdc = format!("{host}:{port}");
    let said = |asked: &Option<Asked>| match asked {
        Some(Asked { answer: Ok(Answer::Error(e)), took }) if e.code == 68 => {
            format!("{} ms, but {}", took.as_millis(), error_text(68))
        }
        Some(Asked { answer: Ok(_), took }) => format!("{} ms", took.as_millis()),
        Some(Asked { answer: Err(why), .. }) => why.clone(),
        None => "not asked".to_owned(),
    };
    let answered = |asked: &Option<Asked>| asked.as_ref().is_some_and(|a| a.answer.is_ok());
    if let Err(why) = &probe.address {
        return report.find(Finding::error(Doc::KdcHost, format!("realm {realm}: KDC {kdc}: {why}")));
    }
    report.fact(
        format!("KDC {kdc}"),
        format!(
            "TCP {}, UDP {}, UDP with {LONG} bytes {}",
            said(&probe.tcp),
            said(&probe.udp),
            said(&probe.udp_long)
        ),
    );
    let what = format!("realm {realm}: KDC {kdc}: TCP {}, UDP {}", said(&probe.tcp), said(&probe.udp));
    match (answered(&probe.tcp), answered(&probe.udp), answered(&probe.udp_long)) {
        (false, false, _) if others => report.find(Finding::warning(Doc::KdcSome, what)),
        (false, false, _) => report.find(Finding::error(Doc::KdcUnreachable, what)),
        (true, true, true) => {}
        (true, _, _) if here.krb5.first(&["libdefaults", "udp_preference_limit"]) == Some("1") => {}
        (true, udp, _) => {
            let what = match udp {
                false => what,
                true => format!("realm {realm}: KDC {kdc}: requests of {LONG} bytes are lost by UDP"),
            };
            let file = here.krb5_paths.first().map(|p| p.display().to_string()).unwrap_or_default();
            let cure = format!("add to [libdefaults] of {file}: udp_preference_limit = 1");
            report.find(Finding::warning(Doc::UdpLost, what).cure(cure));
        }
        (false, true, _) => report.find(
            Finding::warning(Doc::KdcSome, format!("{what}: long tickets need TCP"))
                .cure(format!("open TCP port {port} to {host}")),
        ),
    }
}

fn clocks(here: &Here, kdc: Kdc, report: &mut Report) {
    let limit = here.krb5.first(&["libdefaults", "clockskew"]).and_then(|s| s.parse().ok()).unwrap_or(SKEW_S);
    let words = match kdc.offset {
        0 => "the same second".to_owned(),
        offset if offset > 0 => format!("{offset} s behind the KDC"),
        offset => format!("{} s ahead of the KDC", -offset),
    };
    report.fact("this clock", format!("{words} (limit {limit} s)"));
    if kdc.offset.abs() < WARN_S {
        return;
    }
    let what = format!("this machine's clock is {words}, the limit is {limit} s");
    let cure = "on the machine that is wrong: chronyc makestep (or: ntpdate <server>), then chronyc tracking";
    report.find(match kdc.offset.abs() > limit {
        true => Finding::error(Reason::KrbSkew, what).cure(cure),
        false => Finding::warning(Reason::KrbSkew, what).cure(cure),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kdcs_are_written_in_many_ways() {
        let of = |text| split(text).map(|n| (n.host, n.port));
        assert_eq!(of("kdc"), Some(("kdc".into(), 88)));
        assert_eq!(of("kdc:21732"), Some(("kdc".into(), 21732)));
        assert_eq!(of("tcp/kdc:1"), Some(("kdc".into(), 1)));
        assert_eq!(of("[::1]:90"), Some(("::1".into(), 90)));
        assert_eq!(of("::1"), Some(("::1".into(), 88)));
        assert_eq!(of("kdc:x"), None);
        assert_eq!(of("https://proxy/KdcProxy"), None);
    }
}

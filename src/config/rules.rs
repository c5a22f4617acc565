//! Rules between keys: ZooKeeper's checks after reading, and some that only warn.
//!
//! # Invariants
//!
//! * Whatever ZooKeeper refuses to start with is an error here.

use std::path::Path;

use super::finding::{Findings, Place, clip};
use super::given::Given;
use super::jaas::{Jaas, Module};
use super::quorum::Role;
use super::settings::{Auth, Settings};

/// Checks everything; resolves what members decide (client address, role).
pub fn check_all(given: &Given, settings: &mut Settings, findings: &mut Findings) {
    check_basic(given, settings, findings);
    check_ports(given, settings, findings);
    check_access(given, settings, findings);
    check_audit(given, settings, findings);
    check_members(given, settings, findings);
    check_own_line(given, settings, findings);
    super::tls_rules::check(given, settings, findings);
    if settings.client.client_port.is_none() && settings.client.secure_client_port.is_none() {
        let what = "neither clientPort nor secureClientPort: no client can connect";
        findings.warn(&at(given, "clientPort"), "clientPort", what, "add clientPort=2181");
    }
}

/// Where a key was given; an empty place if nobody gave it.
pub(super) fn at(given: &Given, id: &str) -> Place {
    given.place(id).cloned().unwrap_or_else(|| Place::whole("configuration"))
}

fn check_basic(given: &Given, settings: &Settings, findings: &mut Findings) {
    if !given.has("dataDir") {
        let cure = "add dataDir=/var/lib/zookeeper or the directory of your choice";
        findings.error(&at(given, "dataDir"), "dataDir", "not set", cure);
    }
    for id in ["dataDir", "dataLogDir"] {
        let Some(path) = given.path(id) else { continue };
        if !path.is_absolute() && !path.starts_with(".") {
            let what = format!("{} is relative to where the server is started", path.display());
            findings.warn(&at(given, id), id, what, "write an absolute path, or ./ in front to be sure");
        }
    }
    let s = &settings.session;
    if s.min_session_timeout > s.max_session_timeout {
        let id = if given.has("minSessionTimeout") { "minSessionTimeout" } else { "maxSessionTimeout" };
        let what = format!(
            "minSessionTimeout {} is larger than maxSessionTimeout {}",
            s.min_session_timeout, s.max_session_timeout
        );
        findings.error(&at(given, id), id, what, "lower the minimum or raise the maximum");
    }
    if settings.auth.skip_acl {
        let what = "no ACL is checked: everybody may read and change everything";
        findings.warn(&at(given, "skipACL"), "skipACL", what, "drop it once the ACLs are repaired");
    }
    if !settings.storage.force_sync {
        let what = "a power failure loses acknowledged writes";
        findings.warn(&at(given, "forceSync"), "forceSync", what, "drop it");
    }
}

fn check_ports(given: &Given, settings: &Settings, findings: &mut Findings) {
    for (port, address) in
        [("clientPort", "clientPortAddress"), ("secureClientPort", "secureClientPortAddress")]
    {
        if given.has(address) && !given.has(port) {
            let what = format!("set, but {port} is not");
            findings.error(&at(given, address), address, what, format!("add {port}=2181 or drop it"));
        }
    }
    let client = &settings.client;
    let same_port = client.client_port.is_some_and(|p| p != 0 && Some(p) == client.secure_client_port);
    if same_port && client.client_port_address == client.secure_client_port_address {
        let what = "the same port as clientPort";
        findings.error(&at(given, "secureClientPort"), "secureClientPort", what, "use two ports");
    }
}

/// `audit.*`: what only a file can do needs one.
fn check_audit(given: &Given, settings: &Settings, findings: &mut Findings) {
    let audit = &settings.audit;
    let id = "audit.required";
    let missing = match (audit.enable, &audit.file) {
        (false, _) => "audit.enable",
        (true, None) => "audit.file",
        (true, Some(_)) => return,
    };
    if audit.required {
        let what = format!("true, but {missing} is not set");
        findings.error(&at(given, id), id, what, "set audit.enable=true and audit.file=<path>, or drop it");
    }
}

fn check_access(given: &Given, settings: &mut Settings, findings: &mut Findings) {
    const X509: &str = "org.apache.zookeeper.server.auth.X509AuthenticationProvider";
    let auth = &mut settings.auth;
    let tls = given.has("secureClientPort") || settings.client.port_unification;
    if tls && !auth.auth_providers.contains_key(&auth.ssl_auth_provider) {
        if auth.ssl_auth_provider == "x509" {
            auth.auth_providers.insert("x509".to_owned(), X509.to_owned());
        } else {
            let what = format!("no authentication provider for {}", auth.ssl_auth_provider);
            let cure = format!("add authProvider.{} or drop it", auth.ssl_auth_provider);
            findings.error(&at(given, "ssl.authProvider"), "ssl.authProvider", what, cure);
        }
    }
    check_enforced(given, auth, findings);
    check_required_login(given, auth, findings);
    if auth.super_digest.as_ref().is_some_and(|d| !d.reveal().contains(':')) {
        let id = "DigestAuthenticationProvider.superDigest";
        findings.warn(
            &at(given, id),
            id,
            "not of the form user:base64; nobody matches it",
            "write user:base64",
        );
    }
    let sasl = &settings.quorum.sasl;
    for (id, on, needs, there) in [
        ("quorum.auth.serverRequireSasl", sasl.server_require, "quorum.auth.enableSasl", sasl.enable),
        ("quorum.auth.learnerRequireSasl", sasl.learner_require, "quorum.auth.enableSasl", sasl.enable),
        (
            "quorum.auth.serverRequireSasl",
            sasl.server_require,
            "quorum.auth.learnerRequireSasl",
            sasl.learner_require,
        ),
    ] {
        if on && !there {
            let what = format!("true, but {needs} is not");
            findings.error(&at(given, id), id, what, format!("set {needs}=true, too"));
        }
    }
}

/// Where a login is required nothing may let anybody through without one.
fn check_required_login(given: &Given, auth: &Auth, findings: &mut Findings) {
    let required = if auth.session_require_client_sasl_auth {
        "sessionRequireClientSASLAuth"
    } else if auth.enforce_auth_enabled && auth.enforce_auth_schemes.iter().any(|s| s == "sasl") {
        "enforce.auth.enabled"
    } else {
        return;
    };
    if auth.login_config.is_none() && auth.kerberos_keytab.is_none() {
        let cure = "name a JAAS file with a Server section (java.security.auth.login.config), or set kerberos.keytab";
        findings.error(
            &at(given, required),
            required,
            "sessions must log in by SASL, but the server has no login",
            cure,
        );
    }
    for (id, on) in [
        ("allowSaslFailedClients", auth.allow_sasl_failed_clients),
        ("letAnySaslUserDoX", auth.let_any_sasl_user_do_x.is_some()),
    ] {
        if on {
            let what = format!("contradicts {required}, which lets nobody through without a login");
            findings.error(&at(given, id), id, what, "remove one of the two");
        }
    }
}

/// `enforce.auth.*`: every scheme has to be there (`AuthenticationHelper`).
fn check_enforced(given: &Given, auth: &Auth, findings: &mut Findings) {
    if !auth.enforce_auth_enabled || auth.session_require_client_sasl_auth {
        return;
    }
    if auth.enforce_auth_schemes.is_empty() {
        let (id, cure) = ("enforce.auth.enabled", "add enforce.auth.schemes=digest or others");
        findings.error(&at(given, id), id, "true, but enforce.auth.schemes is not set", cure);
    }
    let has = |class: &str| auth.auth_providers.values().any(|c| c.ends_with(class));
    for scheme in &auth.enforce_auth_schemes {
        let there = match scheme.as_str() {
            "ip" => true,
            "digest" => auth.digest_enabled || has("DigestAuthenticationProvider"),
            "x509" => has("X509AuthenticationProvider"),
            // Java's key registers the scheme, and so does a keytab of our own key.
            "sasl" => has("SASLAuthenticationProvider") || auth.kerberos_keytab.is_some(),
            _ => false,
        };
        if !there {
            let id = "enforce.auth.schemes";
            let what = format!("there is no provider for the scheme {}", clip(scheme));
            findings.error(&at(given, id), id, what, "register it with authProvider or drop the scheme");
        }
    }
}

/// What `parseDynamicConfig` and `checkValidity` refuse or warn about.
fn check_members(given: &Given, settings: &Settings, findings: &mut Findings) {
    let quorum = &settings.quorum;
    let place = match &quorum.dynamic_config_file {
        Some(path) => Place::whole(&path.display().to_string()),
        None => members_place(given),
    };
    let voters = quorum.ensemble.voters();
    let observers = quorum.ensemble.members.len() - voters;
    quorum.ensemble.check_groups(&place, findings);
    match voters {
        0 if !quorum.standalone_enabled => {
            let what = "false, but there is no voting server";
            findings.error(&at(given, "standaloneEnabled"), "standaloneEnabled", what, "add a server line");
        }
        0 | 1 if observers > 0 && (voters == 0 || quorum.standalone_enabled) => {
            findings.error(&place, "server", "observers without a quorum of voters", "add voting servers");
        }
        0 => {}
        1 if quorum.standalone_enabled => {
            let what = "a single server line: the server runs standalone";
            findings.note(&place, "server", what, "");
        }
        1 | 2 => {
            let what = format!("{voters} voting servers: no failure is tolerated");
            findings.warn(&place, "server", what, "use at least three");
        }
        n if n % 2 == 0 => {
            let what = format!("{n} voting servers tolerate no more failures than {}", n - 1);
            findings.warn(&place, "server", what, "use an odd number");
        }
        _ => {}
    }
    if !quorum.is_distributed() {
        return;
    }
    for (id, limit) in [("initLimit", quorum.init_limit), ("syncLimit", quorum.sync_limit)] {
        if limit == 0 {
            let place = if given.has(id) { at(given, id) } else { place.clone() };
            findings.error(&place, id, "not set", format!("add {id}=10 or another number of ticks"));
        }
    }
    match quorum.my_id {
        None => {
            let cure = "write the number of this server into myid in dataDir, or run oxkeeper init --myid";
            findings.error(&place, "server", "several servers, but the myid file is missing", cure);
        }
        Some(id) if settings.tree.extended_types_enabled && id > 254 => {
            let key = "extendedTypesEnabled";
            let what = format!("server id {id} is too large for TTL nodes");
            findings.error(&at(given, key), key, what, "use an id of at most 254");
        }
        Some(_) => {}
    }
}

/// Line of the first member in zoo.cfg.
fn members_place(given: &Given) -> Place {
    let first = given.family("server.").next().map(|(id, _)| format!("server.{id}"));
    first.map_or_else(|| Place::whole("configuration"), |id| at(given, &id))
}

/// The own server line decides role and client address (`setupClientPort`,
/// `setupPeerType`).
fn check_own_line(given: &Given, settings: &mut Settings, findings: &mut Findings) {
    let Some(id) = settings.quorum.my_id else { return };
    let own = settings.quorum.ensemble.members.get(&id).cloned();
    let role = own.as_ref().map_or(Role::Participant, |m| m.role);
    if given.has("peerType") && settings.quorum.peer_type != role {
        let what = format!("the server list says {role}");
        findings.warn(&at(given, "peerType"), "peerType", what, "the server list is followed");
    }
    settings.quorum.peer_type = role;
    let Some(listed) = own.and_then(|m| m.client) else { return };
    if let Some(port) = settings.client.client_port {
        let host = settings.client.client_port_address.as_ref();
        if port != listed.port || host.is_some_and(|h| h != &listed.host && h != "0.0.0.0") {
            let what = format!("differs from {}:{} in server.{id}", listed.host, listed.port);
            findings.error(&at(given, "clientPort"), "clientPort", what, "keep one of them");
        }
    }
    settings.client.client_port = Some(listed.port);
    settings.client.client_port_address = Some(listed.host).filter(|host| host != "0.0.0.0");
}

/// What is worth saying about a JAAS file.
pub fn check_jaas(jaas: &Jaas, settings: &Settings, place: &Place, findings: &mut Findings) {
    let name = &settings.auth.sasl_serverconfig;
    let Some(section) = jaas.section(name) else {
        let what = format!("no section {name}: clients cannot authenticate by SASL");
        findings.warn(place, "", what, format!("add a section {name} or set sasl.serverconfig"));
        return;
    };
    let mut place = place.clone();
    for module in &section.modules {
        place.line = Some(module.line);
        match module.module() {
            Module::Other => {
                let what = "a login module that is not built in";
                findings.warn(&place, name, what, "built in are Kerberos and ZooKeeper's digest");
            }
            Module::Digest if module.digest_users().next().is_none() => {
                findings.warn(&place, name, "no user_... option: nobody can log in", "add user_name=\"...\"");
            }
            Module::Digest => {}
            Module::Kerberos | Module::IbmKerberos => {
                let kerberos = module.kerberos().unwrap_or_default();
                if kerberos.principal.is_none() {
                    findings.warn(&place, name, "no principal", "write principal=\"zookeeper/host@REALM\"");
                }
                if kerberos.keytab.as_deref().is_some_and(|k| !Path::new(k).is_absolute()) {
                    findings.warn(&place, name, "a relative keytab path", "write an absolute path");
                }
            }
        }
    }
}

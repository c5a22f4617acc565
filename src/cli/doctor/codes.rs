//! Codes of what doctor finds where no refusal of the server has one: each with cause and cure, in one table.
//!
//! Where a finding is what the server refuses a login for, its code is the refusal's
//! ([`Reason`](crate::auth::reason::Reason)), so that a log line and doctor's answer lead to one another.
//!
//! # Invariants
//!
//! * A code, once released, keeps its name and its meaning.

use crate::auth::reason::Reason;

macro_rules! codes {
    ($($name:ident $code:literal $cause:literal, $cure:literal;)*) => {
        /// What doctor knows beyond the reasons of refusals.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Doc {
            $(#[doc = $cause] $name,)*
        }

        impl Doc {
            /// Every code.
            #[cfg(test)]
            pub const ALL: &[Doc] = &[$(Doc::$name),*];

            /// Code, cause and cure.
            pub const fn text(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    $(Doc::$name => ($code, $cause, $cure),)*
                }
            }
        }
    };
}

codes! {
    Config "DOC_CONFIG" "no server starts from this configuration", "oxkeeper check <zoo.cfg>";
    Krb5Conf "DOC_KRB5_CONF" "krb5.conf cannot be read as it is meant", "correct the file, or name the right one: -D java.security.krb5.conf=<path> (Java), KRB5_CONFIG=<path> (C, kazoo)";
    NoRealm "DOC_NO_REALM" "krb5.conf names no default realm", "add default_realm = <REALM> to [libdefaults] of krb5.conf";
    NoKdc "DOC_NO_KDC" "krb5.conf names no KDC for the realm", "add the realm to [realms] of krb5.conf with kdc = <host>:88 (FusionInsight and MRS: <host>:21732)";
    KdcHost "DOC_KDC_HOST" "the KDC's host name has no address here", "correct the host in [realms] of krb5.conf, or add it to /etc/hosts";
    KdcUnreachable "DOC_KDC_UNREACHABLE" "no KDC of the realm answers", "check that the KDC runs, its port in krb5.conf (FusionInsight and MRS: 21732) and the firewall";
    KdcSome "DOC_KDC_SOME" "one of several KDCs does not answer, which slows logins down", "start it, open the firewall, or remove it from krb5.conf";
    UdpLost "DOC_UDP_LOST" "the KDC answers by TCP and not by UDP, which is tried first", "add udp_preference_limit = 1 to [libdefaults] of krb5.conf, so that TCP is used";
    KeytabStale "DOC_KEYTAB_STALE" "the password was changed after the keytab was exported: the KDC refuses its key at login (kinit: pre-authentication failed)", "export the keytab again";
    KeyExpired "DOC_KEY_EXPIRED" "password or key of the principal has expired at the KDC", "change the password and export the keytab again; for jobs use a machine-machine user, which does not expire";
    KeyExpires "DOC_KEY_EXPIRES" "password or key of the principal ends soon, and the keytab with it", "change the password and export the keytab again before that; for jobs use a machine-machine user, which does not expire";
    PrincipalUnknown "DOC_PRINCIPAL_UNKNOWN" "the KDC does not know the principal", "compare name, case and realm with the KDC's list: kadmin listprincs";
    PrincipalLocked "DOC_PRINCIPAL_LOCKED" "the principal is locked or disabled at the KDC", "unlock it: kadmin modprinc -unlock +allow_tix <principal>";
    KdcRefuses "DOC_KDC_REFUSES" "the KDC refuses the principal for another reason", "look into the KDC's log for this principal";
    WeakKeys "DOC_WEAK_KEYS" "the keytab has only keys of types that current Java and Kerberos releases refuse", "create AES keys (Active Directory: msDS-SupportedEncryptionTypes) and export the keytab again";
    FileOpen "DOC_FILE_OPEN" "others can read a file with keys", "chmod 600 <file>";
    HostName "DOC_HOST_NAME" "the host part of the principal is not what clients ask for", "write the host's full name in lower case";
    NoTicket "DOC_NO_TICKET" "the ticket cache has no live ticket", "kinit <principal>";
    NotRenewable "DOC_NOT_RENEWABLE" "the ticket cannot be renewed: the principal's or the realm's greatest renewable life is 0, or kinit did not ask", "kinit -r 7d <principal>";
    JaasFile "DOC_JAAS_FILE" "the JAAS file cannot be read", "name the right file: -D java.security.auth.login.config=<path>";
    JaasSection "DOC_JAAS_SECTION" "the JAAS file lacks the section; a Java client then goes on without a login", "add the section, or name another: -D zookeeper.sasl.clientconfig=<name> (client), sasl.serverconfig=<name> (server)";
    JaasModule "DOC_JAAS_MODULE" "the section's login module cannot be used", "use com.sun.security.auth.module.Krb5LoginModule or org.apache.zookeeper.server.auth.DigestLoginModule";
    JaasPrincipal "DOC_JAAS_PRINCIPAL" "the login module has a keytab and no principal", "add principal=\"<name>@<REALM>\" to the login module";
    JaasKeytab "DOC_JAAS_KEYTAB" "a server's login module has no keytab", "add useKeyTab=true keyTab=\"<path>\" storeKey=true";
    JaasKinit "DOC_JAAS_KINIT" "with useTicketCache=true a Java client renews by running kinit -R and gives up for good when that fails", "useTicketCache=false useKeyTab=true keyTab=\"<path>\" principal=\"<name>@<REALM>\"";
    JaasIbm "DOC_JAAS_IBM" "IBM's Java has a login module and options of its own", "use the section below";
    JaasSun "DOC_JAAS_SUN" "IBM's login module does not exist in this Java", "use the section below";
    ServerNoHost "DOC_SERVER_NO_HOST" "a server principal without /host: Java servers start without SASL then and clients see AuthFailed", "use zookeeper/<host>@<REALM>; Oxkeeper takes the name as it is";
    ReplayOff "DOC_REPLAY_OFF" "the replay cache of this machine's Kerberos programs is switched off", "remove KRB5RCACHETYPE, KRB5RCACHENAME and sun.security.krb5.rcache; Oxkeeper's own is always on and costs no fsync";
    ServerUnreachable "DOC_SERVER_UNREACHABLE" "no server answers at the address", "check address, port and firewall";
    ServerRefused "DOC_SERVER_REFUSED" "the server does not let this client look", "log in: --keytab and --principal, --ccache, or --user";
    NoNode "DOC_NO_NODE" "there is no such znode", "create it, or correct the path; a chroot stands in front of it";
    IdShape "DOC_ID_SHAPE" "the ACL holds this user under another form of its name: rules, removed host or realm have changed", "setAcl with the present form, or set the mapping back";
    Fencing "DOC_FENCING" "the ACL is a ResourceManager's fence: creating and deleting belong to the digest of the one that is active, by design", "start the ResourceManager that holds the store; it rewrites the ACL by itself if it has ADMIN (a)";
    NoAdmin "DOC_NO_ADMIN" "nobody holds ADMIN on this znode, so that nobody can change its ACL", "on the server's host, as its user: oxkeeper rescue";
    SuperSet "DOC_SUPER_SET" "a way around all ACLs is switched on", "remove it from the configuration and restart";
    WorldWritable "DOC_WORLD_WRITABLE" "anybody may change these znodes; ACLs are not inherited", "run the batch below";
    TicketEnded "DOC_TICKET_ENDED" "a session outlives its ticket: the client no longer logs in again, and loses access when it reconnects", "restart the client with a keytab: useKeyTab=true, useTicketCache=false";
    Stranger "DOC_STRANGER" "a session without a SASL login: the client has no usable Client section and went on silently", "oxkeeper doctor jaas <the client's JAAS file>";
    Replays "DOC_REPLAYS" "logins were refused as replays", "one keytab on cloned machines or many processes at once: give each its own principal; the cache stays on";
    TlsOff "DOC_TLS_OFF" "no port has TLS", "set secureClientPort and ssl.keyStore.location";
    TlsEnds "DOC_TLS_ENDS" "a certificate ends soon", "renew it; a new file is taken without a restart";
    TlsStore "DOC_TLS_STORE" "a key or trust store cannot be used", "check path, type and password of the store";
}

/// A code, whichever table it stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// What the server would refuse a login for.
    Refusal(Reason),
    /// Everything else.
    Doc(Doc),
}

impl Code {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Code::Refusal(reason) => reason.code(),
            Code::Doc(doc) => doc.text().0,
        }
    }

    /// What is the matter.
    pub const fn cause(self) -> &'static str {
        match self {
            Code::Refusal(reason) => reason.cause(),
            Code::Doc(doc) => doc.text().1,
        }
    }

    /// What to do where nothing more exact is known.
    pub const fn cure(self) -> &'static str {
        match self {
            Code::Refusal(reason) => reason.cure(),
            Code::Doc(doc) => doc.text().2,
        }
    }
}

impl From<Reason> for Code {
    fn from(reason: Reason) -> Code {
        Code::Refusal(reason)
    }
}

impl From<Doc> for Code {
    fn from(doc: Doc) -> Code {
        Code::Doc(doc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_differ_and_each_has_cause_and_cure() {
        let all = Doc::ALL.iter().map(|&doc| Code::from(doc));
        let all: Vec<Code> = all.chain(Reason::ALL.iter().map(|&r| Code::from(r))).collect();
        let names: BTreeSet<&str> = all.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), all.len());
        for code in all {
            assert!(code.cause().len() > 10 && code.cure().len() > 10, "{code:?}");
        }
        assert!(Doc::ALL.iter().all(|doc| doc.text().0.starts_with("DOC_")));
    }

    #[test]
    fn the_manual_names_codes_that_exist() {
        let manual = include_str!("../../../docs/doctor.md");
        let rows: Vec<&str> =
            manual.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
        assert_eq!(rows.len(), 24);
        for row in rows {
            let column = row.split('|').nth(3).unwrap();
            for name in column.split('`').skip(1).step_by(2) {
                let reasons = Reason::ALL.iter().any(|reason| reason.code() == name);
                assert!(reasons || Doc::ALL.iter().any(|doc| doc.text().0 == name), "{name}");
            }
        }
    }
}

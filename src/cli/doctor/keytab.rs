//! `oxkeeper doctor keytab`: a keytab against the file system, the names in it and the KDC.
//!
//! # Invariants
//!
//! * Keys are compared by letting the KDC encrypt something with its own and opening it here; a key never leaves
//!   this process and is never printed.
//! * The KDC gets at most one wrong key for a principal.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Usage;
use super::codes::Doc;
use super::enctypes::{ALL, WEAK, listed, permitted};
use super::here::Here;
use super::kdcs::{self, Kdc, now};
use super::report::{Finding, Report};
use crate::auth::reason::Reason;
use crate::config::nearest::nearest;
use crate::kerberos::kdc::{Answer, KdcError, Question, Reply, TicketTimes, error_text};
use crate::kerberos::keytab::{self, Entry, Keytab, enctype_name};

/// Ends of keys that are worth a word, days.
const WARN_DAYS: i64 = 30;
/// Principals of a keytab that are asked for at the KDC.
const MOST: usize = 32;
const DAY_S: i64 = 86_400;

/// Names, key numbers and encryption types of a keytab against the KDC
#[derive(Debug, Clone, Args)]
pub struct KeytabArgs {
    /// The keytab [default: that of the server's configuration]
    pub file: Option<PathBuf>,
    /// Look at this principal alone, in the keytab and at the KDC
    #[arg(long)]
    pub principal: Option<String>,
}

/// Looks.
///
/// # Errors
///
/// No keytab is named.
pub fn run(args: &KeytabArgs, here: &Here, report: &mut Report) -> Result<(), Usage> {
    let file = args.file.clone().or_else(|| here.keytab());
    let file =
        file.ok_or_else(|| Usage("name a keytab, or a configuration that has one (--config)".into()))?;
    here.judge_krb5(report);
    let Some(keytab) = open(&file, report) else { return Ok(()) };
    let names = match &args.principal {
        Some(name) => vec![qualified(name, here)],
        None => keytab.principals(),
    };
    for name in names.iter().take(MOST) {
        let entries: Vec<&Entry> = keytab.entries.iter().filter(|e| e.principal() == *name).collect();
        if entries.is_empty() {
            missing(name, &keytab, &file, report);
        } else {
            let held: Vec<String> =
                entries.iter().map(|e| format!("kvno {} {}", e.kvno, enctype_name(e.enctype))).collect();
            report.fact(name, held.join(", "));
        }
        shape(name, report);
        if !entries.is_empty() && entries.iter().all(|e| WEAK.contains(&e.enctype)) {
            report.find(Finding::error(Doc::WeakKeys, format!("{name}: {}", listed(&types(&entries)))));
        }
        at_the_kdc(name, &entries, &file, here, report);
    }
    Ok(())
}

/// Reads a keytab, and says why it cannot be read or who else can.
pub fn open(file: &Path, report: &mut Report) -> Option<Keytab> {
    report.fact("keytab", file.display().to_string());
    match keytab::read(file) {
        Ok(keytab) => {
            if let Ok(data) = fs::metadata(file)
                && data.mode() & 0o077 != 0
            {
                let what = format!("{} has mode {:o}", file.display(), data.mode() & 0o777);
                report.find(
                    Finding::warning(Doc::FileOpen, what).cure(format!("chmod 600 {}", file.display())),
                );
            }
            if keytab.entries.is_empty() {
                let what = format!("{} holds no key", file.display());
                report.find(Finding::error(Reason::KrbKeytab, what));
            }
            Some(keytab)
        }
        Err(why) => {
            let what = format!("{}: {why}", file.display());
            let cure = match file.strip_prefix("~") {
                Ok(rest) => {
                    format!("~ is a shell's word: write the whole path, such as $HOME/{}", rest.display())
                }
                Err(_) => format!("as the user who logs in: ls -l {0} && klist -kte {0}", file.display()),
            };
            report.find(Finding::error(Reason::KrbKeytab, what).cure(cure));
            None
        }
    }
}

/// Names that lead nowhere.
pub fn shape(name: &str, report: &mut Report) {
    let (local, _) = name.rsplit_once('@').unwrap_or((name, ""));
    let Some((service, host)) = local.split_once('/') else { return };
    if host == "_HOST" {
        let cure = format!("{service}/<the host's full name in lower case>, see hostname -f");
        let what =
            format!("{name}: _HOST is replaced between servers alone, never in a keytab or a Server section");
        report.find(Finding::error(Doc::HostName, what).cure(cure));
    } else if host.chars().any(char::is_uppercase) {
        let cure = format!("{service}/{}", host.to_lowercase());
        let what = format!("{name}: clients ask for the host in lower case, and names are compared exactly");
        report.find(Finding::error(Doc::HostName, what).cure(cure));
    }
}

/// A principal that is not in the keytab.
pub fn missing(name: &str, keytab: &Keytab, file: &Path, report: &mut Report) {
    let had = keytab.principals();
    let near = nearest(name, had.iter().map(String::as_str));
    let what = format!("{} has no key of {name}; it has {}", file.display(), had.join(", "));
    let cure = match near {
        Some(near) => format!("use principal {near}"),
        None => format!("kadmin: ktadd -k {} {name}", file.display()),
    };
    report.find(Finding::error(Reason::KrbKeytab, what).cure(cure));
}

fn types(entries: &[&Entry]) -> Vec<i32> {
    let mut types: Vec<i32> = entries.iter().map(|e| e.enctype).collect();
    types.dedup();
    types
}

/// A name with the default realm behind it if it has none.
pub fn qualified(name: &str, here: &Here) -> String {
    match (name.contains('@'), here.krb5.default_realm()) {
        (false, Some(realm)) => format!("{name}@{realm}"),
        _ => name.to_owned(),
    }
}

/// What the KDC says to this principal and its keys.
fn at_the_kdc(name: &str, entries: &[&Entry], file: &Path, here: &Here, report: &mut Report) {
    let Some((local, realm)) = name.rsplit_once('@') else { return };
    let Some(kdc) = kdcs::find(here, realm) else {
        let what = format!("{name}: its keys are not compared, no KDC of {realm} answers");
        return report.find(
            Finding::warning(Doc::KdcUnreachable, what)
                .cure(format!("oxkeeper doctor kerberos --realm {realm}")),
        );
    };
    let (permitted, _) = permitted(&here.krb5);
    let look = Look { name, local, realm, entries, file, kdc, permitted };
    let answer = look.question(None, &look.permitted);
    match answer {
        Ok(Answer::Error(error)) if error.code == 25 => look.prove(&error, report),
        Ok(Answer::Error(error)) => look.refused(&error, report),
        Ok(Answer::Reply(reply)) => look.compare(&reply, report),
        Err(why) => report.find(Finding::warning(Doc::KdcUnreachable, format!("{name}: {why}"))),
    }
}

struct Look<'a> {
    name: &'a str,
    local: &'a str,
    realm: &'a str,
    entries: &'a [&'a Entry],
    file: &'a Path,
    kdc: Kdc,
    permitted: Vec<i32>,
}

impl Look<'_> {
    fn question(&self, proof: Option<(&Entry, i64)>, enctypes: &[i32]) -> Result<Answer, String> {
        self.question_for(&format!("krbtgt/{}", self.realm), proof, enctypes)
    }

    fn question_for(
        &self,
        service: &str,
        proof: Option<(&Entry, i64)>,
        enctypes: &[i32],
    ) -> Result<Answer, String> {
        let question =
            Question { client: self.local, service, realm: self.realm, enctypes, proof, filler: 0 };
        self.kdc.ask(&question)
    }

    fn export(&self) -> String {
        format!(
            "at the KDC: kadmin.local -q 'ktadd -norandkey -k {} {}' (FusionInsight and MRS: download the user's \
             credentials again)",
            self.file.display(),
            self.name
        )
    }

    /// The KDC wants a proof: the newest key of a type that it has.
    fn prove(&self, error: &KdcError, report: &mut Report) {
        report.fact(format!("{} at the KDC", self.name), listed(&error.enctypes));
        let fits = |e: &&&Entry| error.enctypes.contains(&e.enctype) && self.permitted.contains(&e.enctype);
        let best = self.entries.iter().filter(fits).max_by_key(|e| e.kvno);
        let Some(key) = best else {
            if self.entries.is_empty() {
                return;
            }
            let what = format!(
                "{}: the KDC has keys of {}, the keytab of {}",
                self.name,
                listed(&error.enctypes),
                listed(&types(self.entries))
            );
            return report.find(Finding::error(Reason::KrbNoKey, what).cure(self.export()));
        };
        match self.question(Some((key, error.time)), &[key.enctype]) {
            Ok(Answer::Reply(reply)) => self.compare(&reply, report),
            Ok(Answer::Error(error)) if error.code == 24 => {
                let what = format!(
                    "{}: the KDC does not take the keytab's kvno {} {}",
                    self.name,
                    key.kvno,
                    enctype_name(key.enctype)
                );
                report.find(Finding::error(Doc::KeytabStale, what).cure(self.export()));
            }
            Ok(Answer::Error(error)) => self.refused(&error, report),
            Err(why) => {
                report.find(Finding::warning(Doc::KdcUnreachable, format!("{}: {why}", self.name)));
            }
        }
    }

    /// The KDC refuses before it looks at any key.
    fn refused(&self, error: &KdcError, report: &mut Report) {
        let what = format!("{}: {} ({})", self.name, error_text(error.code), error.code);
        match error.code {
            6 => unknown(self.name, &self.kdc, report),
            14 => self.no_common_type(report),
            18 => report.find(
                Finding::error(Doc::PrincipalLocked, what)
                    .cure(format!("at the KDC: kadmin.local -q 'modprinc -unlock +allow_tix {}'", self.name)),
            ),
            23 => report.find(Finding::error(Doc::KeyExpired, what).cure(format!(
                "at the KDC: kadmin.local -q 'modprinc -pwexpire never {}' or change the password, then {}; for jobs \
                 use a machine-machine user, which does not expire",
                self.name,
                self.export()
            ))),
            37 => report.find(Finding::error(Reason::KrbSkew, what)),
            _ => report.find(Finding::error(Doc::KdcRefuses, what)),
        }
    }

    /// Which types the KDC has, one by one, beside those of this machine and of the keytab.
    fn no_common_type(&self, report: &mut Report) {
        let has = |e: &i32| match self.question(None, &[*e]) {
            Ok(Answer::Error(error)) => error.code != 14,
            Ok(Answer::Reply(_)) => true,
            Err(_) => false,
        };
        let kdc: Vec<i32> = ALL.into_iter().filter(has).collect();
        let keytab = types(self.entries);
        let common: Vec<i32> =
            kdc.iter().copied().filter(|e| self.permitted.contains(e) && keytab.contains(e)).collect();
        let what = format!(
            "{}: this machine allows {}; the KDC's keys are {}; the keytab's are {}; common: {}",
            self.name,
            listed(&self.permitted),
            listed(&kdc),
            listed(&keytab),
            listed(&common)
        );
        let strong: Vec<i32> = kdc.iter().copied().filter(|e| !WEAK.contains(e)).collect();
        let cure = match strong.as_slice() {
            [] => format!(
                "at the KDC: create AES keys (kadmin.local -q 'cpw -randkey {}'), then {}",
                self.name,
                self.export()
            ),
            strong => format!(
                "in krb5.conf, [libdefaults]: permitted_enctypes = {}",
                listed(strong).replace(", ", " ")
            ),
        };
        report.find(Finding::error(Reason::KrbEnctype, what).cure(cure));
    }

    /// The KDC encrypted its answer with its own key of this principal.
    fn compare(&self, reply: &Reply, report: &mut Report) {
        if let Some(times) = self.entries.iter().find_map(|entry| reply.open(entry)) {
            return self.lives(times, report);
        }
        let (kvno, enctype) = self.own_key(reply);
        let number = kvno.map_or_else(|| "no kvno".to_owned(), |k| format!("kvno {k}"));
        let has = format!("{number} {}", enctype_name(enctype));
        report.fact(format!("{} at the KDC", self.name), &has);
        if self.entries.is_empty() {
            return;
        }
        let held: Vec<String> =
            self.entries.iter().map(|e| format!("kvno {} {}", e.kvno, enctype_name(e.enctype))).collect();
        let what = format!("{}: the KDC has {has}, the keytab has {}", self.name, held.join(", "));
        let same = |e: &&&Entry| e.enctype == enctype && kvno.is_none_or(|k| k == e.kvno);
        let reason = match self.entries.iter().find(same) {
            Some(_) => Reason::KrbWrongKey,
            None => Reason::KrbNoKey,
        };
        report.find(Finding::error(reason, what).cure(self.export()));
    }

    /// Number and type of the principal's key at the KDC. MIT's KDC leaves the number out of the client's part and
    /// has it in tickets: a ticket of the principal for itself shows it.
    fn own_key(&self, reply: &Reply) -> (Option<u32>, i32) {
        if reply.client_kvno.is_some() {
            return (reply.client_kvno, reply.client_enctype);
        }
        match self.question_for(self.local, None, &self.permitted) {
            Ok(Answer::Reply(own)) => (own.service_kvno, own.service_enctype),
            _ => (None, reply.client_enctype),
        }
    }

    /// The key is the KDC's. For how long?
    fn lives(&self, times: TicketTimes, report: &mut Report) {
        report.fact(format!("{} key", self.name), "the KDC's");
        let Some(ends) = times.key_ends else { return };
        let left = ends - now();
        let what = match left {
            i64::MIN..=0 => format!("{}: ended {} days ago", self.name, -left / DAY_S),
            left => format!("{}: ends in {} days", self.name, left / DAY_S),
        };
        if left <= 0 {
            report.find(Finding::error(Doc::KeyExpired, what));
        } else if left < WARN_DAYS * DAY_S {
            report.find(Finding::warning(Doc::KeyExpires, what));
        }
    }
}

/// The KDC does not know a principal: perhaps it knows one that is written a little otherwise.
pub fn unknown(name: &str, kdc: &Kdc, report: &mut Report) {
    let Some((local, realm)) = name.rsplit_once('@') else { return };
    let lower = local.to_lowercase();
    let short = local.split('/').next().unwrap_or(local);
    let others = [lower.as_str(), short].into_iter().filter(|other| *other != local);
    let near = others.map(str::to_owned).find(|other| kdc.knows(other, realm) == Some(true));
    let finding = Finding::error(Doc::PrincipalUnknown, format!("{name}: not in the KDC's database"));
    report.find(match near {
        Some(near) => finding.cure(format!("use {near}@{realm}, which the KDC knows")),
        None => finding.cure(format!(
            "at the KDC: kadmin.local -q 'listprincs {short}*' lists what there is; kadmin.local -q 'addprinc -randkey \
             {name}' adds it"
        )),
    });
}

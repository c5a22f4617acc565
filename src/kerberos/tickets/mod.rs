//! Tickets for logins outward: out of a keytab, or out of a cache that somebody else filled.
//!
//! # Invariants
//!
//! * A cache that is not ours is read and never written: what is renewed lies in this process's memory.
//! * Renewal and fresh logins are calls of libkrb5: no command is run, nobody is asked for a password.
//! * A ticket that has ended is not offered: the error names the cure.

mod failure;
mod plan;

pub use failure::failure;
pub use plan::{Life, Plan};

use super::krb5_ffi::{self, MemoryCache, Tgt};
use crate::auth::reason::Reason;
use crate::auth::sasl::Refusal;
use crate::limits::TICKET_LOOK_MIN_S;
use crate::os::clock;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Where tickets come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A key of a keytab.
    Keytab {
        /// The file.
        path: PathBuf,
        /// Whose key.
        principal: String,
    },
    /// A cache of tickets: FILE, DIR, KEYRING, KCM or MEMORY, as far as libkrb5 has them.
    Cache {
        /// Its name; `None` is this user's default cache.
        name: Option<String>,
        /// Whose tickets are expected in it, if that was said.
        principal: Option<String>,
    },
}

/// A live ticket, ready to be used.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Whose it is.
    pub principal: String,
    /// When it ends, seconds of Unix time.
    pub ends: i64,
    cache: Option<String>,
    /// Keeps the cache while it is in use.
    _own: Option<Arc<MemoryCache>>,
}

impl Ready {
    /// The name of the cache it lies in; `None` is the default cache.
    pub fn cache(&self) -> Option<&str> {
        self.cache.as_deref()
    }
}

/// Tickets that are kept alive for as long as this lives.
#[derive(Debug)]
pub struct Tickets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    state: Mutex<State>,
    /// Wakes the keeper when the last [`Tickets`] goes.
    over: Condvar,
}

#[derive(Debug, Default)]
struct State {
    own: Option<(Arc<MemoryCache>, Tgt)>,
    keeper: bool,
    over: bool,
}

impl Tickets {
    /// Tickets of a source. Nothing is read before the first [`Tickets::ready`].
    pub fn new(source: Source) -> Tickets {
        Tickets(Arc::new(Inner { source, state: Mutex::default(), over: Condvar::new() }))
    }

    /// A live ticket; logs in or renews if that is due. May block on the KDC.
    ///
    /// # Errors
    ///
    /// There is no live ticket, and none can be had: why, and what helps.
    pub fn ready(&self) -> Result<Ready, Refusal> {
        let mut state = self.0.lock();
        let ready = self.0.tend(&mut state, seconds())?;
        if !state.keeper {
            state.keeper = true;
            let inner = Arc::downgrade(&self.0);
            let named = std::thread::Builder::new().name("tickets".to_owned());
            // Without the thread, tickets are renewed when they are asked for: later, but not wrongly.
            let _ = named.spawn(move || keep(&inner));
        }
        Ok(ready)
    }
}

impl Drop for Tickets {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.over.notify_all();
    }
}

/// Looks at the tickets when they should be looked at, until nobody wants them any more.
fn keep(tickets: &Weak<Inner>) {
    let mut wait = TICKET_LOOK_MIN_S;
    loop {
        let Some(inner) = tickets.upgrade() else { return };
        let state = inner.lock();
        let pause = Duration::from_secs(wait);
        let (mut state, _) =
            inner.over.wait_timeout_while(state, pause, |s| !s.over).unwrap_or_else(PoisonError::into_inner);
        if state.over {
            return;
        }
        let now = seconds();
        // What cannot be renewed is told to whoever asks for it.
        wait = match inner.tend(&mut state, now) {
            Ok(ready) => ready.look_in(now),
            Err(_) => TICKET_LOOK_MIN_S,
        };
    }
}

impl Ready {
    fn look_in(&self, now: i64) -> u64 {
        Life { start: now, end: self.ends, renew_till: None }.look_in(now)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is due at `now`, and hands out what there is.
    fn tend(&self, state: &mut State, now: i64) -> Result<Ready, Refusal> {
        let foreign = self.foreign(state)?;
        let known = match (&state.own, &foreign) {
            (Some((_, own)), Some(foreign)) if own.end >= foreign.end => Some(own),
            (_, Some(foreign)) => Some(foreign),
            (own, None) => own.as_ref().map(|(_, tgt)| tgt),
        };
        let keytab = matches!(self.source, Source::Keytab { .. });
        let plan = known.map_or(Plan::Login, |tgt| life(tgt).plan(now, keytab));
        let ours = known.is_some_and(|k| state.own.as_ref().is_some_and(|(_, own)| own == k));
        match plan {
            Plan::Keep => {}
            Plan::Renew => self.renew(state, ours, now)?,
            Plan::Login => state.own = Some(self.login()?),
            Plan::Ended => return Err(ended(known, now)),
        }
        self.best(state, foreign).ok_or_else(|| ended(None, now))
    }

    /// The ticket of a cache that is not ours, if that is our source.
    fn foreign(&self, state: &State) -> Result<Option<Tgt>, Refusal> {
        let Source::Cache { name, principal } = &self.source else { return Ok(None) };
        let found = match krb5_ffi::look(name.as_deref()) {
            Ok(found) => found,
            // A ticket of ours outlives the cache it was renewed from.
            Err(_) if state.own.is_some() => return Ok(None),
            Err(e) => return Err(failure(&e, &cache_name(name.as_deref()))),
        };
        match principal {
            Some(wanted) if !is_of(&found.principal, wanted) => Err(Refusal::new(
                Reason::KrbOther,
                format!(
                    "{} holds tickets of {}, not of {wanted}; run kinit {wanted}, or name another cache",
                    cache_name(name.as_deref()),
                    found.principal
                ),
            )),
            _ => Ok(Some(found)),
        }
    }

    fn login(&self) -> Result<(Arc<MemoryCache>, Tgt), Refusal> {
        match &self.source {
            Source::Keytab { path, principal } => {
                // Told before the KDC is asked: libkrb5 would name the KDC first.
                std::fs::File::open(path).map_err(|e| {
                    let cure = "check that the file exists and that this user may read it";
                    Refusal::new(Reason::KrbKeytab, format!("{}: {e}; {cure}", path.display())).of(principal)
                })?;
                krb5_ffi::login(principal, path)
                    .map(|(cache, tgt)| (Arc::new(cache), tgt))
                    .map_err(|e| failure(&e, &format!("logging in as {principal} with {}", path.display())))
            }
            Source::Cache { name, .. } => {
                let text = format!("{} holds no ticket; run kinit", cache_name(name.as_deref()));
                Err(Refusal::new(Reason::KrbTicketExpired, text))
            }
        }
    }

    /// Renews; a failure counts only when there is neither a live ticket nor a keytab.
    fn renew(&self, state: &mut State, ours: bool, now: i64) -> Result<(), Refusal> {
        let from = match (&self.source, &state.own) {
            (_, Some((own, _))) if ours => Some(own.name().to_owned()),
            (Source::Cache { name, .. }, _) => name.clone(),
            (Source::Keytab { .. }, _) => None,
        };
        match krb5_ffi::renew(from.as_deref()) {
            Ok((cache, tgt)) => state.own = Some((Arc::new(cache), tgt)),
            Err(e) => match (&self.source, &state.own) {
                (Source::Keytab { .. }, _) => {
                    // The KDC may be away for a while: a ticket that still lives does.
                    let alive = state.own.as_ref().is_some_and(|(_, own)| now < own.end);
                    match self.login() {
                        Ok(own) => state.own = Some(own),
                        Err(refusal) if !alive => return Err(refusal),
                        Err(_) => {}
                    }
                }
                (Source::Cache { name, .. }, _) => {
                    tracing::warn!(cause = %e, cache = %cache_name(name.as_deref()), "a ticket could not be renewed");
                }
            },
        }
        Ok(())
    }

    /// The ticket that ends last.
    fn best(&self, state: &State, foreign: Option<Tgt>) -> Option<Ready> {
        let own = state.own.as_ref();
        match (own, foreign) {
            (Some((cache, own)), foreign) if foreign.as_ref().is_none_or(|f| own.end >= f.end) => {
                Some(Ready {
                    principal: own.principal.clone(),
                    ends: own.end,
                    cache: Some(cache.name().to_owned()),
                    _own: Some(cache.clone()),
                })
            }
            (_, Some(foreign)) => {
                let Source::Cache { name, .. } = &self.source else { return None };
                Some(Ready {
                    principal: foreign.principal,
                    ends: foreign.end,
                    cache: name.clone(),
                    _own: None,
                })
            }
            (_, None) => None,
        }
    }
}

fn life(tgt: &Tgt) -> Life {
    Life { start: tgt.start, end: tgt.end, renew_till: tgt.renew_till }
}

fn seconds() -> i64 {
    clock::wall_ms().div_euclid(1000)
}

fn cache_name(name: Option<&str>) -> String {
    name.map_or_else(|| "the default ticket cache".to_owned(), |name| format!("the ticket cache {name}"))
}

/// Is a full principal the one that was meant? A wanted name may lack its realm.
fn is_of(full: &str, wanted: &str) -> bool {
    full == wanted || (!wanted.contains('@') && full.rsplit_once('@').is_some_and(|(name, _)| name == wanted))
}

fn ended(tgt: Option<&Tgt>, now: i64) -> Refusal {
    match tgt {
        Some(tgt) => Refusal::new(
            Reason::KrbTicketExpired,
            format!("the ticket ended {} s ago; run kinit, or use a keytab", now.saturating_sub(tgt.end)),
        )
        .of(&*tgt.principal),
        None => Refusal::new(Reason::KrbTicketExpired, "there is no ticket; run kinit, or use a keytab"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_somebodys() {
        assert!(is_of("a@R", "a@R") && is_of("a@R", "a") && is_of("a/h@R", "a/h"));
        assert!(!is_of("a@R", "a@S") && !is_of("ab@R", "a") && !is_of("a/h@R", "a"));
    }

    #[test]
    fn a_cache_that_is_not_there_is_named_with_the_cure() {
        let source = Source::Cache { name: Some("FILE:/nonexistent/cc".into()), principal: None };
        let refusal = Tickets::new(source).ready().unwrap_err();
        assert!(
            refusal.detail.contains("/nonexistent/cc") && refusal.detail.contains("kinit"),
            "{refusal:?}"
        );
    }

    #[test]
    fn a_keytab_that_is_not_there_is_named() {
        let source = Source::Keytab { path: "/nonexistent/keytab".into(), principal: "a@NOWHERE".into() };
        let refusal = Tickets::new(source).ready().unwrap_err();
        assert_eq!(refusal.reason, Reason::KrbKeytab, "{refusal:?}");
        assert!(refusal.detail.contains("/nonexistent/keytab"), "{refusal:?}");
    }
}

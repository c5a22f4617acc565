//! The calls of libkrb5 and libgssapi that log in outward, wrapped.
//!
//! What libgssapi (the crate) lacks: caches of tickets with their times, renewal, logins from a keytab,
//! and credentials from a store instead of from the environment.
//!
//! # Invariants
//!
//! * No pointer leaves this module; every object is freed by its wrapper, before its context.
//! * A libkrb5 context serves one call of one thread and is thrown away: it is not thread-safe, and a new
//!   one reads krb5.conf as it is now.
//! * Nothing here runs a command or reads a password.

#![allow(unsafe_code)]

pub(super) mod raw;

use libgssapi::credential::Cred;
use libgssapi::error::Error as GssError;
use raw::*;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::path::Path;
use std::ptr::{null, null_mut};

use super::ffi::{Role, credential};

/// A failure of libkrb5, in its own words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KrbError {
    /// Its code (`KRB5...` of krb5.h).
    pub code: i32,
    /// Its text.
    pub text: String,
}

impl fmt::Display for KrbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

/// A ticket-granting ticket as it lies in a cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tgt {
    /// Whose it is.
    pub principal: String,
    /// From when it is valid, seconds of Unix time.
    pub start: i64,
    /// Until when.
    pub end: i64,
    /// Until when it can be renewed; `None` if it cannot.
    pub renew_till: Option<i64>,
}

/// A context, for the calls of one function.
struct Context(*mut c_void);

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by krb5_init_context, freed once; wrappers that borrow it are gone.
        unsafe { krb5_free_context(self.0) }
    }
}

/// How an object of libkrb5 is freed.
type Free = unsafe fn(*mut c_void, *mut c_void);

/// An object that belongs to a context.
struct Owned<'c> {
    context: &'c Context,
    raw: *mut c_void,
    free: Free,
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        // SAFETY: `raw` came out of a successful call with this context, `free` is the call that the header
        // names for it, and nothing else frees it.
        unsafe { (self.free)(self.context.0, self.raw) }
    }
}

unsafe fn free_principal(context: *mut c_void, raw: *mut c_void) {
    // SAFETY: as the caller promises: a principal of this context.
    unsafe { krb5_free_principal(context, raw) }
}

unsafe fn close_cache(context: *mut c_void, raw: *mut c_void) {
    // SAFETY: as the caller promises: an open cache of this context. A failure leaves nothing to do.
    let _ = unsafe { krb5_cc_close(context, raw) };
}

unsafe fn close_keytab(context: *mut c_void, raw: *mut c_void) {
    // SAFETY: as the caller promises: an open keytab of this context. A failure leaves nothing to do.
    let _ = unsafe { krb5_kt_close(context, raw) };
}

/// Credentials whose contents are ours to free.
struct Creds<'c> {
    context: &'c Context,
    raw: RawCreds,
}

impl<'c> Creds<'c> {
    fn empty(context: &'c Context) -> Creds<'c> {
        // SAFETY: integers and pointers, for which all zeroes is a valid value and means "nothing".
        Creds { context, raw: unsafe { std::mem::zeroed() } }
    }

    fn tgt(&self, principal: String) -> Tgt {
        // Unsigned until 2106, as MIT reads it.
        let seconds = |t: i32| i64::from(t.cast_unsigned());
        let times = &self.raw.times;
        let renewable = self.raw.ticket_flags & RENEWABLE != 0;
        let start = if times.start == 0 { times.auth } else { times.start };
        Tgt {
            principal,
            start: seconds(start),
            end: seconds(times.end),
            renew_till: renewable.then(|| seconds(times.renew_till)),
        }
    }
}

impl Drop for Creds<'_> {
    fn drop(&mut self) {
        // SAFETY: zeroed, or filled by a call with this context; contents are freed once.
        unsafe { krb5_free_cred_contents(self.context.0, &mut self.raw) }
    }
}

impl Context {
    fn new() -> Result<Context, KrbError> {
        let mut raw = null_mut();
        // SAFETY: `raw` is a place for the pointer; it is used only if the call succeeded.
        match unsafe { krb5_init_context(&mut raw) } {
            0 => Ok(Context(raw)),
            code => Err(error(null_mut(), code)),
        }
    }

    fn check(&self, code: i32) -> Result<(), KrbError> {
        if code == 0 { Ok(()) } else { Err(error(self.0, code)) }
    }

    /// An object that a call made.
    fn own(&self, code: i32, raw: *mut c_void, free: Free) -> Result<Owned<'_>, KrbError> {
        self.check(code)?;
        Ok(Owned { context: self, raw, free })
    }

    /// A text that a call made.
    fn text(
        &self,
        code: i32,
        raw: *mut c_char,
        free: unsafe extern "C" fn(*mut c_void, *mut c_char),
    ) -> Result<String, KrbError> {
        self.check(code)?;
        // SAFETY: after success `raw` is a NUL-terminated text of this context; copied, then freed once.
        unsafe {
            let text = CStr::from_ptr(raw).to_string_lossy().into_owned();
            free(self.0, raw);
            Ok(text)
        }
    }

    fn principal(&self, name: &str) -> Result<Owned<'_>, KrbError> {
        let (name, mut raw) = (c_text(name)?, null_mut());
        // SAFETY: a context, a text and a place for the result.
        let code = unsafe { krb5_parse_name(self.0, name.as_ptr(), &mut raw) };
        self.own(code, raw, free_principal)
    }

    fn name(&self, principal: &Owned<'_>) -> Result<String, KrbError> {
        let mut raw = null_mut();
        // SAFETY: a context, a principal of it and a place for the result.
        let code = unsafe { krb5_unparse_name(self.0, principal.raw, &mut raw) };
        self.text(code, raw, krb5_free_unparsed_name)
    }

    /// The cache of this name; without one, the default cache of this user.
    fn cache(&self, name: Option<&str>) -> Result<Owned<'_>, KrbError> {
        let mut raw = null_mut();
        let code = match name {
            Some(name) => {
                let name = c_text(name)?;
                // SAFETY: a context, a text and a place for the result.
                unsafe { krb5_cc_resolve(self.0, name.as_ptr(), &mut raw) }
            }
            // SAFETY: a context and a place for the result.
            None => unsafe { krb5_cc_default(self.0, &mut raw) },
        };
        self.own(code, raw, close_cache)
    }

    fn owner(&self, cache: &Owned<'_>) -> Result<Owned<'_>, KrbError> {
        let mut raw = null_mut();
        // SAFETY: a context, an open cache of it and a place for the result.
        let code = unsafe { krb5_cc_get_principal(self.0, cache.raw, &mut raw) };
        self.own(code, raw, free_principal)
    }

    /// Puts credentials into a memory cache of their own.
    fn keep(&self, owner: &Owned<'_>, creds: &mut Creds<'_>) -> Result<MemoryCache, KrbError> {
        let mut raw = null_mut();
        // SAFETY: a context, the name of a type, no hint (unused), a place for the result.
        let code = unsafe { krb5_cc_new_unique(self.0, c"MEMORY".as_ptr(), null(), &mut raw) };
        let cache = self.own(code, raw, close_cache)?;
        let mut name = null_mut();
        // SAFETY: a context, an open cache of it and a place for the result.
        let code = unsafe { krb5_cc_get_full_name(self.0, cache.raw, &mut name) };
        let kept = MemoryCache(self.text(code, name, krb5_free_string)?);
        // SAFETY: a context, an open cache and a principal of it.
        self.check(unsafe { krb5_cc_initialize(self.0, cache.raw, owner.raw) })?;
        // SAFETY: a context, an open cache of it, credentials that a call filled; the cache copies them.
        self.check(unsafe { krb5_cc_store_cred(self.0, cache.raw, &mut creds.raw) })?;
        Ok(kept)
    }
}

fn error(context: *mut c_void, code: i32) -> KrbError {
    // SAFETY: a context or none; the text is copied and freed by the call that belongs to it.
    unsafe {
        let raw = krb5_get_error_message(context, code);
        let text = match raw.is_null() {
            true => String::new(),
            false => CStr::from_ptr(raw).to_string_lossy().into_owned(),
        };
        krb5_free_error_message(context, raw);
        KrbError { code, text }
    }
}

/// `EINVAL`, for what cannot be handed to C.
const INVALID: i32 = 22;

fn c_text(text: &str) -> Result<CString, KrbError> {
    CString::new(text).map_err(|_| KrbError { code: INVALID, text: "a name with a zero byte".to_owned() })
}

/// Tickets of our own, in this process's memory: overwritten and freed when this is dropped.
#[derive(Debug)]
pub struct MemoryCache(String);

impl MemoryCache {
    /// Its name, for [`initiator`] and [`look`].
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for MemoryCache {
    fn drop(&mut self) {
        let Ok(context) = Context::new() else { return };
        let Ok(mut cache) = context.cache(Some(&self.0)) else { return };
        // Destroying closes, too: the wrapper must not.
        cache.free = forget;
        // SAFETY: an open cache of this context, used by nobody afterwards. Contexts of others that still read
        // tickets of it hold references of their own inside libkrb5.
        let _ = unsafe { krb5_cc_destroy(context.0, cache.raw) };
    }
}

unsafe fn forget(_: *mut c_void, _: *mut c_void) {}

/// The default realm of krb5.conf.
///
/// # Errors
///
/// There is none, or krb5.conf cannot be read.
pub fn default_realm() -> Result<String, KrbError> {
    let context = Context::new()?;
    let mut raw = null_mut();
    // SAFETY: a context and a place for the result.
    let code = unsafe { krb5_get_default_realm(context.0, &mut raw) };
    context.text(code, raw, krb5_free_default_realm)
}

/// A host's canonical name as krb5.conf wants it found (`dns_canonicalize_hostname`, `rdns`). Blocks on the
/// resolver.
///
/// # Errors
///
/// The name is no name.
pub fn canonical_host(host: &str) -> Result<String, KrbError> {
    let context = Context::new()?;
    let (host, mut raw) = (c_text(host)?, null_mut());
    // SAFETY: a context, a text and a place for the result.
    let code = unsafe { krb5_expand_hostname(context.0, host.as_ptr(), &mut raw) };
    context.text(code, raw, krb5_free_string)
}

/// The ticket-granting ticket in a cache (`None`: the default cache).
///
/// # Errors
///
/// There is no such cache, or no such ticket in it.
pub fn look(cache: Option<&str>) -> Result<Tgt, KrbError> {
    let context = Context::new()?;
    let cache = context.cache(cache)?;
    let owner = context.owner(&cache)?;
    let principal = context.name(&owner)?;
    let realm = principal.rsplit_once('@').map_or("", |(_, realm)| realm);
    let service = context.principal(&format!("krbtgt/{realm}@{realm}"))?;
    let mut wanted = Creds::empty(&context);
    (wanted.raw.client, wanted.raw.server) = (owner.raw, service.raw);
    let mut found = Creds::empty(&context);
    // SAFETY: a context, an open cache of it, a pattern whose principals live until the end of this function,
    // and a place for the result.
    let code = unsafe { krb5_cc_retrieve_cred(context.0, cache.raw, 0, &mut wanted.raw, &mut found.raw) };
    // The pattern borrows its principals: their wrappers free them.
    (wanted.raw.client, wanted.raw.server) = (null_mut(), null_mut());
    context.check(code)?;
    Ok(found.tgt(principal))
}

/// Logs in at the KDC with a key of a keytab. Blocks on the KDC.
///
/// # Errors
///
/// The keytab cannot be read, or the KDC does not accept its key or cannot be reached.
pub fn login(principal: &str, keytab: &Path) -> Result<(MemoryCache, Tgt), KrbError> {
    let context = Context::new()?;
    let client = context.principal(principal)?;
    let name = keytab
        .to_str()
        .ok_or_else(|| KrbError { code: INVALID, text: "a keytab's name is no text".into() })?;
    let (name, mut raw) = (c_text(name)?, null_mut());
    // SAFETY: a context, a text and a place for the result.
    let code = unsafe { krb5_kt_resolve(context.0, name.as_ptr(), &mut raw) };
    let keytab = context.own(code, raw, close_keytab)?;
    let mut creds = Creds::empty(&context);
    // SAFETY: a context, a principal and a keytab of it, a place for the result; no start time, service or
    // options of our own: krb5.conf's.
    let code = unsafe {
        krb5_get_init_creds_keytab(context.0, &mut creds.raw, client.raw, keytab.raw, 0, null(), null_mut())
    };
    context.check(code)?;
    let cache = context.keep(&client, &mut creds)?;
    let tgt = creds.tgt(context.name(&client)?);
    Ok((cache, tgt))
}

/// Renews the ticket-granting ticket of a cache (`None`: the default cache) into a cache of ours; the other
/// one is left as it is. Blocks on the KDC.
///
/// # Errors
///
/// The ticket cannot be renewed, or the KDC cannot be reached.
pub fn renew(cache: Option<&str>) -> Result<(MemoryCache, Tgt), KrbError> {
    let context = Context::new()?;
    let cache = context.cache(cache)?;
    let owner = context.owner(&cache)?;
    let mut creds = Creds::empty(&context);
    // SAFETY: a context, a principal and an open cache of it, a place for the result, the usual service.
    let code = unsafe { krb5_get_renewed_creds(context.0, &mut creds.raw, owner.raw, cache.raw, null()) };
    context.check(code)?;
    let renewed = context.keep(&owner, &mut creds)?;
    let tgt = creds.tgt(context.name(&owner)?);
    Ok((renewed, tgt))
}

/// Credentials for GSSAPI out of a cache (`None`: the default cache).
///
/// # Errors
///
/// What GSSAPI says about the cache.
pub fn initiator(cache: Option<&str>) -> Result<Cred, GssError> {
    let store: Vec<_> = cache.iter().map(|name| (c"ccache", (*name).to_owned())).collect();
    credential(Role::Initiate, &store)
}

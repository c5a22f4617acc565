//! The calls into MIT's libraries that no crate wraps, and the one variable that they read; those of tickets and
//! caches are in [`super::krb5_ffi`].
//!
//! # Invariants
//!
//! * Every `unsafe` block says why it is sound; what leaves this file is safe to use in any order and on any thread.
//! * Nothing here changes the environment once a second thread exists.
//! * No pointer of C outlives the call that it was made for, but for credentials, which libgssapi's [`Cred`] owns.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, OsStr, c_int, c_uint, c_void};
use std::path::Path;
use std::ptr;

use libgssapi::credential::Cred;
use libgssapi::error::{Error, MajorFlags};
use libgssapi_sys as sys;
use zeroize::Zeroizing;

use super::errors::KerberosError;
use super::krb5_ffi::raw::{
    Data, EncData, Keyblock, krb5_c_decrypt, krb5_c_encrypt, krb5_c_encrypt_length, krb5_free_context,
    krb5_init_context,
};
use super::token::Encrypted;

/// 1.2.840.113554.1.2.2, the Kerberos 5 mechanism.
const KERBEROS: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// GSS_S_FAILURE in the field of routine errors.
const FAILURE: u32 = 13 << 16;

/// What a credential is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// Accepting with every key of a keytab.
    Accept,
    /// Logging in outward with the tickets of a cache.
    Initiate,
}

/// Acquires a credential.
///
/// `store` names keytab (`keytab`), replay cache (`rcache`) or ticket cache (`ccache`): what it names is not taken
/// from the environment.
///
/// # Errors
///
/// What libgssapi says; a value with a NUL byte in it is a plain failure.
pub(super) fn credential(role: Role, store: &[(&'static CStr, String)]) -> Result<Cred, Error> {
    let usage = match role {
        Role::Accept => sys::GSS_C_ACCEPT,
        Role::Initiate => sys::GSS_C_INITIATE,
    };
    let values = store.iter().map(|(_, value)| CString::new(value.as_str())).collect::<Result<Vec<_>, _>>();
    let values = values.map_err(|_| Error { major: MajorFlags::from_bits_retain(FAILURE), minor: 0 })?;
    let mut elements: Vec<_> = store
        .iter()
        .zip(&values)
        .map(|((key, _), value)| sys::gss_key_value_element_desc { key: key.as_ptr(), value: value.as_ptr() })
        .collect();
    let count = u32::try_from(elements.len()).unwrap_or(0);
    let set = sys::gss_key_value_set_desc { count, elements: elements.as_mut_ptr() };
    let length = u32::try_from(KERBEROS.len()).unwrap_or(0);
    let mut mechanism = sys::gss_OID_desc { length, elements: KERBEROS.as_ptr().cast_mut().cast() };
    let mut mechanisms = sys::gss_OID_set_desc { count: 1, elements: &mut mechanism };
    let (mut minor, mut cred): (u32, sys::gss_cred_id_t) = (0, ptr::null_mut());
    // SAFETY: every pointer is to a live local of the type that gss_acquire_cred_from (gssapi_ext.h) takes, or
    // null where it allows null (name, mechanisms and lifetime found). It reads the store and the mechanisms and
    // copies what it keeps; it writes `minor` and `cred` alone.
    let major = unsafe {
        sys::gss_acquire_cred_from(
            &mut minor,
            ptr::null_mut(),
            u32::MAX,
            &mut mechanisms,
            usage as c_int,
            &set,
            &mut cred,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    if major != sys::GSS_S_COMPLETE {
        return Err(Error { major: MajorFlags::from_bits_retain(major), minor });
    }
    // SAFETY: `cred` was made by the call above, nothing else knows it, and it is handed over once.
    Ok(unsafe { Cred::from_c(cred) })
}

/// Key usages of RFC 4120, 7.5.1.
#[derive(Clone, Copy, Debug)]
pub(super) enum Usage {
    /// The time stamp that proves a client to its KDC.
    Timestamp = 1,
    /// The encrypted part of a ticket.
    Ticket = 2,
    /// The client's part of an AS-REP.
    AsReply = 3,
    /// The authenticator of an AP-REQ.
    Authenticator = 11,
}

/// Decrypts with a key; `None` if the key is another one or the bytes were changed.
pub(super) fn decrypt(key: &[u8], usage: Usage, data: &Encrypted<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let magic = 0;
    let length = c_uint::try_from(data.cipher.len()).ok()?;
    let mut plain = Zeroizing::new(vec![0; data.cipher.len()]);
    let key = Keyblock {
        magic,
        enctype: data.enctype,
        length: c_uint::try_from(key.len()).ok()?,
        contents: key.as_ptr().cast_mut(),
    };
    let ciphertext = Data { magic, length, data: data.cipher.as_ptr().cast_mut().cast() };
    let input = EncData { magic, enctype: data.enctype, kvno: 0, ciphertext };
    let mut output = Data { magic, length, data: plain.as_mut_ptr().cast() };
    CONTEXT.with(|context| {
        let context = context.as_ref()?;
        // SAFETY: the structures are krb5_keyblock, krb5_enc_data and krb5_data of krb5.h field by field, and point to
        // slices that live through the call with their true lengths. krb5_c_decrypt reads key and input (its
        // prototype has both const, their bytes included) and writes at most `output.length` bytes to `output.data`,
        // which `plain` owns; it then sets the length. The context belongs to this thread alone.
        let code = unsafe { krb5_c_decrypt(context.0, &key, usage as i32, ptr::null(), &input, &mut output) };
        (code == 0).then_some(())
    })?;
    plain.truncate(usize::try_from(output.length).ok()?);
    Some(plain)
}

/// Encrypts with a key; `None` if libkrb5 does not know its type or sees that the key is none of it.
pub(super) fn encrypt(enctype: i32, key: &[u8], usage: Usage, plain: &[u8]) -> Option<Vec<u8>> {
    let magic = 0;
    let length = c_uint::try_from(plain.len()).ok()?;
    let key = Keyblock {
        magic,
        enctype,
        length: c_uint::try_from(key.len()).ok()?,
        contents: key.as_ptr().cast_mut(),
    };
    let input = Data { magic, length, data: plain.as_ptr().cast_mut().cast() };
    CONTEXT.with(|context| {
        let context = context.as_ref()?;
        let mut size = 0_usize;
        // SAFETY: the context belongs to this thread alone; the call writes `size` alone.
        let code = unsafe { krb5_c_encrypt_length(context.0, enctype, plain.len(), &mut size) };
        if code != 0 {
            return None;
        }
        let mut cipher = vec![0_u8; size];
        let length = c_uint::try_from(size).ok()?;
        let ciphertext = Data { magic, length, data: cipher.as_mut_ptr().cast() };
        let mut output = EncData { magic, enctype, kvno: 0, ciphertext };
        // SAFETY: as in `decrypt`: structures of krb5.h over slices that live through the call with their true
        // lengths. krb5_c_encrypt reads key and input and writes at most `ciphertext.length` bytes, which
        // `cipher` owns, to `ciphertext.data`; it then sets the length.
        let code = unsafe { krb5_c_encrypt(context.0, &key, usage as i32, ptr::null(), &input, &mut output) };
        if code != 0 {
            return None;
        }
        cipher.truncate(usize::try_from(output.ciphertext.length).ok()?);
        Some(cipher)
    })
}

/// Makes libkrb5 read this krb5.conf, as Java does with `java.security.krb5.conf`.
///
/// libkrb5 knows no other way than its environment variable for the calls of GSSAPI, so this is for the start of
/// the process.
///
/// # Errors
///
/// If other threads exist already: then the environment is left alone.
pub fn use_krb5_conf(path: &Path) -> Result<(), KerberosError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads != 1 {
        let what = format!("krb5.conf cannot be chosen any more: the process has {threads} threads");
        return Err(KerberosError::bug(what));
    }
    // SAFETY: changing the environment is sound while no other thread can read it. The kernel has just listed the
    // threads of this process and there is one, this one; it starts no other between that line and this.
    #[allow(clippy::disallowed_methods)] // the rule is about threaded processes; this one is not, see above
    unsafe {
        std::env::set_var(OsStr::new("KRB5_CONFIG"), path);
    }
    Ok(())
}

/// A context of libkrb5 that belongs to one thread.
struct Context(*mut c_void);

impl Context {
    fn new() -> Option<Context> {
        let mut context = ptr::null_mut();
        // SAFETY: krb5_init_context writes a pointer to a new context, or leaves it null and returns a code.
        let code = unsafe { krb5_init_context(&mut context) };
        (code == 0 && !context.is_null()).then_some(Context(context))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context was made by krb5_init_context and is freed here alone, once.
        unsafe { krb5_free_context(self.0) }
    }
}

thread_local! {
    /// Contexts of libkrb5 must not be shared between threads.
    static CONTEXT: Option<Context> = Context::new();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_encrypted_with_the_key_is_not_decrypted() {
        for (enctype, length) in [(18, 32), (17, 16), (20, 32), (23, 16), (4711, 3), (18, 0)] {
            for size in [0, 1, 15, 16, 28, 64, 1000] {
                let data = Encrypted { enctype, kvno: None, cipher: &vec![5; size] };
                assert!(decrypt(&vec![7; length], Usage::Ticket, &data).is_none(), "{enctype} {size}");
            }
        }
    }

    #[test]
    fn what_is_encrypted_is_decrypted_with_the_key_alone() {
        for (enctype, length) in [(18, 32), (17, 16), (20, 32)] {
            let cipher = encrypt(enctype, &vec![7; length], Usage::Timestamp, b"now").unwrap();
            let data = Encrypted { enctype, kvno: None, cipher: &cipher };
            let plain = decrypt(&vec![7; length], Usage::Timestamp, &data).unwrap();
            assert_eq!(plain.get(..3), Some(&b"now"[..]));
            assert!(decrypt(&vec![8; length], Usage::Timestamp, &data).is_none());
        }
        assert!(encrypt(18, &[7; 3], Usage::Timestamp, b"now").is_none());
        assert!(encrypt(4711, &[7; 16], Usage::Timestamp, b"now").is_none());
    }

    #[test]
    fn the_environment_of_a_threaded_process_is_left_alone() {
        let other = std::thread::spawn(std::thread::park);
        let before = std::env::var_os("KRB5_CONFIG");
        assert!(use_krb5_conf(Path::new("/nowhere/krb5.conf")).is_err());
        assert_eq!(std::env::var_os("KRB5_CONFIG"), before);
        other.thread().unpark();
        other.join().unwrap();
    }
}

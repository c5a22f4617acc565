//! Records and calls of libkrb5, as krb5.h declares them.
//!
//! # Invariants
//!
//! * Declarations only; [`super`] wraps each of them and says why a call is safe.

#![allow(missing_docs)]

use std::ffi::{c_char, c_uint, c_void};

/// `krb5_data`.
#[repr(C)]
pub struct Data {
    pub magic: i32,
    pub length: c_uint,
    pub data: *mut c_char,
}

/// `krb5_keyblock`.
#[repr(C)]
pub struct Keyblock {
    pub magic: i32,
    pub enctype: i32,
    pub length: c_uint,
    pub contents: *mut u8,
}

/// `krb5_enc_data`.
#[repr(C)]
pub struct EncData {
    pub magic: i32,
    pub enctype: i32,
    pub kvno: c_uint,
    pub ciphertext: Data,
}

/// `krb5_ticket_times`.
#[repr(C)]
pub struct Times {
    pub auth: i32,
    pub start: i32,
    pub end: i32,
    pub renew_till: i32,
}

/// `krb5_creds`, as krb5.h has it since 1.0.
#[repr(C)]
pub struct RawCreds {
    pub magic: i32,
    pub client: *mut c_void,
    pub server: *mut c_void,
    pub keyblock: Keyblock,
    pub times: Times,
    pub is_skey: c_uint,
    pub ticket_flags: i32,
    pub addresses: *mut c_void,
    pub ticket: Data,
    pub second_ticket: Data,
    pub authdata: *mut c_void,
}

/// `TKT_FLG_RENEWABLE`.
pub const RENEWABLE: i32 = 0x0080_0000;

// The acceptor's file declares the context with an opaque type of its own: the same pointer.
#[allow(clashing_extern_declarations)]
#[link(name = "krb5")]
unsafe extern "C" {
    pub fn krb5_init_context(context: *mut *mut c_void) -> i32;
    pub fn krb5_free_context(context: *mut c_void);
    pub fn krb5_get_error_message(context: *mut c_void, code: i32) -> *const c_char;
    pub fn krb5_free_error_message(context: *mut c_void, text: *const c_char);
    pub fn krb5_parse_name(context: *mut c_void, name: *const c_char, out: *mut *mut c_void) -> i32;
    pub fn krb5_unparse_name(context: *mut c_void, principal: *const c_void, out: *mut *mut c_char) -> i32;
    pub fn krb5_free_unparsed_name(context: *mut c_void, name: *mut c_char);
    pub fn krb5_free_principal(context: *mut c_void, principal: *mut c_void);
    pub fn krb5_get_default_realm(context: *mut c_void, out: *mut *mut c_char) -> i32;
    pub fn krb5_free_default_realm(context: *mut c_void, realm: *mut c_char);
    pub fn krb5_expand_hostname(context: *mut c_void, host: *const c_char, out: *mut *mut c_char) -> i32;
    pub fn krb5_free_string(context: *mut c_void, text: *mut c_char);
    pub fn krb5_kt_resolve(context: *mut c_void, name: *const c_char, out: *mut *mut c_void) -> i32;
    pub fn krb5_kt_close(context: *mut c_void, keytab: *mut c_void) -> i32;
    pub fn krb5_cc_resolve(context: *mut c_void, name: *const c_char, out: *mut *mut c_void) -> i32;
    pub fn krb5_cc_default(context: *mut c_void, out: *mut *mut c_void) -> i32;
    pub fn krb5_cc_new_unique(
        context: *mut c_void,
        kind: *const c_char,
        hint: *const c_char,
        out: *mut *mut c_void,
    ) -> i32;
    pub fn krb5_cc_get_full_name(context: *mut c_void, cache: *mut c_void, out: *mut *mut c_char) -> i32;
    pub fn krb5_cc_get_principal(context: *mut c_void, cache: *mut c_void, out: *mut *mut c_void) -> i32;
    pub fn krb5_cc_initialize(context: *mut c_void, cache: *mut c_void, principal: *mut c_void) -> i32;
    pub fn krb5_cc_store_cred(context: *mut c_void, cache: *mut c_void, creds: *mut RawCreds) -> i32;
    pub fn krb5_cc_retrieve_cred(
        context: *mut c_void,
        cache: *mut c_void,
        flags: i32,
        wanted: *mut RawCreds,
        out: *mut RawCreds,
    ) -> i32;
    pub fn krb5_cc_close(context: *mut c_void, cache: *mut c_void) -> i32;
    pub fn krb5_cc_destroy(context: *mut c_void, cache: *mut c_void) -> i32;
    pub fn krb5_get_init_creds_keytab(
        context: *mut c_void,
        out: *mut RawCreds,
        client: *mut c_void,
        keytab: *mut c_void,
        start: i32,
        service: *const c_char,
        options: *mut c_void,
    ) -> i32;
    pub fn krb5_get_renewed_creds(
        context: *mut c_void,
        out: *mut RawCreds,
        client: *mut c_void,
        cache: *mut c_void,
        service: *const c_char,
    ) -> i32;
    pub fn krb5_free_cred_contents(context: *mut c_void, creds: *mut RawCreds);
}

#[link(name = "k5crypto")]
unsafe extern "C" {
    pub fn krb5_c_decrypt(
        context: *mut c_void,
        key: *const Keyblock,
        usage: i32,
        cipher_state: *const Data,
        input: *const EncData,
        output: *mut Data,
    ) -> i32;
    pub fn krb5_c_encrypt_length(context: *mut c_void, enctype: i32, input: usize, length: *mut usize)
    -> i32;
    pub fn krb5_c_encrypt(
        context: *mut c_void,
        key: *const Keyblock,
        usage: i32,
        cipher_state: *const Data,
        input: *const Data,
        output: *mut EncData,
    ) -> i32;
}

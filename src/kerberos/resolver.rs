//! The name that the resolver has for an address, as Java's client asks for it.
//!
//! # Invariants
//!
//! * The structures are those of `netinet/in.h` on Linux; nothing of C is kept beyond the call.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::SocketAddr;
use std::ptr;

/// `AF_INET`, `AF_INET6`.
const INET: u16 = 2;
const INET6: u16 = 10;
/// `NI_NAMEREQD`: no name is an error, not the address as text.
const NAME_REQUIRED: c_int = 8;
/// `NI_MAXHOST`.
const LONGEST: usize = 1025;

unsafe extern "C" {
    fn getnameinfo(
        address: *const c_void,
        length: u32,
        host: *mut c_char,
        host_length: u32,
        service: *mut c_char,
        service_length: u32,
        flags: c_int,
    ) -> c_int;
}

/// The name of an address; `None` if the resolver has none. Blocks on the resolver.
pub fn name_of(address: SocketAddr) -> Option<String> {
    let raw = bytes(address);
    let mut host = [0_u8; LONGEST];
    let (length, room) = (u32::try_from(raw.len()).ok()?, u32::try_from(host.len()).ok()?);
    // SAFETY: `raw` is a sockaddr_in or sockaddr_in6 of that length (read byte by byte: getnameinfo copies the fields
    // it needs, and x86 and ARM Linux have no alignment traps for them); `host` has the room that is told and is ended
    // by NUL after success; no service is asked for, which null and 0 say.
    let code = unsafe {
        getnameinfo(
            raw.as_ptr().cast(),
            length,
            host.as_mut_ptr().cast(),
            room,
            ptr::null_mut(),
            0,
            NAME_REQUIRED,
        )
    };
    let name = CStr::from_bytes_until_nul(&host).ok().filter(|_| code == 0)?;
    name.to_str().ok().map(str::to_owned)
}

/// The address as C has it.
fn bytes(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(v4) => [&INET.to_ne_bytes()[..], &port, &v4.ip().octets(), &[0; 8]].concat(),
        SocketAddr::V6(v6) => [
            &INET6.to_ne_bytes()[..],
            &port,
            &v6.flowinfo().to_ne_bytes(),
            &v6.ip().octets(),
            &v6.scope_id().to_ne_bytes(),
        ]
        .concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_laid_out_as_c_has_them() {
        let v4 = bytes("127.0.0.1:258".parse().unwrap());
        assert_eq!(v4.get(2..8), Some(&[1, 2, 127, 0, 0, 1][..]));
        assert_eq!((v4.len(), bytes("[::1]:1".parse().unwrap()).len()), (16, 28));
        // What the machine calls itself is its own business.
        if let Some(name) = name_of("127.0.0.1:0".parse().unwrap()) {
            assert!(!name.is_empty() && name.parse::<std::net::IpAddr>().is_err(), "{name}");
        }
    }
}

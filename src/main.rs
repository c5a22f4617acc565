//! The `oxkeeper` binary: everything is in the library.

fn main() -> ! {
    let code = oxkeeper::cli::main();
    oxkeeper::kerberos::leave(u8::try_from(code).unwrap_or(1))
}

//! The `oxkeeper` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(u8::try_from(oxkeeper::cli::main()).unwrap_or(1))
}

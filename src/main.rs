//! The `tollgate` program: parses its arguments, runs one command, returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tollgate::cli::main()
}

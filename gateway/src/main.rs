//! The `orugate` program: reads its arguments and hands over to [`orugate::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    orugate::cli::main(&orugate_drivers::SHIPPED)
}

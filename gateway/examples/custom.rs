//! A build with a profile of one's own beside those that ship. A driver of one's own goes into `drivers` the same way.

use orugate_drivers::{Catalogue, SHIPPED};
use std::process::ExitCode;

const OURS: &str = include_str!("ours.toml");

fn main() -> ExitCode {
    let catalogue = Catalogue { drivers: SHIPPED.drivers, profiles: &[("our-analyzer", OURS)] };
    orugate::cli::main(&catalogue)
}

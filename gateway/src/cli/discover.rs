//! `orugate discover`: who says on the network that it is there.

use crate::config;
use crate::discover::{beacons, listen, open, words};
use orugate_drivers::Catalogue;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

/// The input or a wire failed.
const IO: u8 = 74;

#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// For how long to listen; a monitor says it again within about a minute
    #[arg(long, value_name = "SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// The address of this box in the devices' network, where it has several; may be given again
    #[arg(long, value_name = "ADDRESS")]
    interface: Vec<Ipv4Addr>,
}

pub(super) fn run(catalogue: &Catalogue, path: &Path, asked: &Asked) -> u8 {
    let plan = match config::main_file(path).is_file().then(|| config::load(path, catalogue)) {
        Some(Ok(loaded)) => Some(loaded.plan),
        Some(Err(mistakes)) => {
            eprintln!("{mistakes}\nWhat is heard is not compared with this configuration.");
            None
        }
        None => {
            eprintln!("What is heard is compared with no configuration: {} is none.", path.display());
            None
        }
    };
    let Ok(runtime) = super::runtime() else { return IO };
    let mut code = 0;
    for beacon in beacons(catalogue) {
        let heard = runtime.block_on(async {
            let socket = open(&beacon, beacon.port, &asked.interface)?;
            println!("Listening for {} at UDP port {}, for {} s.", beacon.of, beacon.port, asked.seconds);
            let tell =
                |said: &_, from| words(said, from, plan.as_ref()).iter().for_each(|line| println!("{line}"));
            listen(&beacon, &socket, Duration::from_secs(asked.seconds), tell).await
        });
        match heard {
            Ok(0) => println!(
                "Nobody was heard. A router does not let it through: this box must be in the devices' own network, and --interface say \
                 which of its addresses is there."
            ),
            Ok(_) => {}
            Err(error) => {
                eprintln!("UDP port {}: {error}.", beacon.port);
                code = IO;
            }
        }
    }
    code
}

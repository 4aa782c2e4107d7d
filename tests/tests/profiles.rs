//! Every example of every profile, through the code that `orugate replay` runs.
//!
//! `UPDATE_EXPECT=1 cargo test -p orugate-tests --test profiles` writes what came into the profiles; read the
//! difference before believing it.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::replay::{hear, replay};
use orugate_protocol::time::Utc;
use orugate_tests::root;
use std::fmt::Write as _;

const NOW: Utc = Utc(1_795_000_000_000_000);

fn output(profile: &dyn orugate_driver::Profile, input: &str) -> String {
    let heard = hear(profile, &profile.example_bytes(input), &[]);
    let mut text = String::new();
    replay(profile, &heard, NOW, &mut text, &mut |_| {});
    // MSH, ORC and OBR hold times of the gateway; everything else is the instrument's.
    let mut stable = String::new();
    for line in text.lines() {
        let line = line.replace("20261118110640.000+0000", "(now)");
        let _ = writeln!(stable, "{}", line.trim_end());
    }
    stable.trim().to_owned()
}

#[test]
fn each_example_gives_what_it_says() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for name in orugate_drivers::SHIPPED.names() {
        let path = root().join(format!("drivers/profiles/{name}.toml"));
        let mut text = std::fs::read_to_string(&path).unwrap();
        let profile = orugate_drivers::SHIPPED.read(&text).unwrap();
        let mut from = 0;
        for example in &profile.common().examples {
            let got = output(&*profile, &example.input);
            let at = from + text[from..].find("\nexpect = ").unwrap() + "\nexpect = ".len();
            from = at;
            if got == example.expect.trim() {
                continue;
            }
            if update {
                // An empty expectation stands on its line; a written one between two triple quotes.
                let end = match text[at..].strip_prefix("'''") {
                    Some(rest) => at + 3 + rest.find("'''").unwrap() + 3,
                    None => at + text[at..].find('\n').unwrap(),
                };
                text.replace_range(at..end, &format!("'''\n{got}\n'''"));
            } else {
                wrong.push(format!(
                    "{name}, {}:\n--- expected\n{}\n--- got\n{got}\n",
                    example.shows, example.expect
                ));
            }
        }
        if update {
            std::fs::write(&path, text).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

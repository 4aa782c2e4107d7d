//! Every example of every profile, on the wire in all the ways in which instruments send the same records: what comes
//! of it does not depend on frames, on where they end, nor on line ends.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::replay::{Heard, How, Totals, hear, replay};
use orugate_driver::Profile;
use orugate_protocol::time::Utc;
use orugate_tests::oru::comparable;
use orugate_tests::wire::{FORMS, messages};

const NOW: Utc = Utc(1_795_000_000_000_000);

/// What a person or a hospital sees: the ORUs, and the lines of what is in none, without places in the bytes.
fn outcome(profile: &dyn Profile, heard: &Heard) -> (Vec<String>, Vec<String>, [usize; 4]) {
    let (mut text, mut orus) = (String::new(), Vec::new());
    let Totals { sent, held, qc, not_reportable, .. } =
        replay(profile, heard, &How::at(NOW), &mut text, &mut |oru| orus.push(comparable(oru)));
    let told = ["hold ", "qc ", "note the instrument asks"];
    let told =
        text.lines().filter(|l| told.iter().any(|t| l.starts_with(t)) || l.contains(": not reportable"));
    (orus, told.map(str::to_owned).collect(), [sent, held, qc, not_reportable])
}

#[test]
fn what_comes_of_a_message_does_not_depend_on_its_frames() {
    let mut tried = 0;
    for name in orugate_drivers::SHIPPED.names() {
        let text = orugate_drivers::SHIPPED.text(name).unwrap();
        let profile = orugate_drivers::SHIPPED.read(text).unwrap();
        if profile.common().driver != "astm" {
            continue; // Its bytes are no records.
        }
        for example in &profile.common().examples {
            let bytes = profile.example_bytes(&example.input);
            let whole = hear(&*profile, &bytes, &[]);
            // Of a message that was cut, or with trouble on the link, the form is what it is about.
            if whole.messages.iter().any(|m| !m.complete) || !whole.notes.is_empty() {
                continue;
            }
            let expected = outcome(&*profile, &whole);
            let messages = messages(&bytes);
            for (form, write) in FORMS {
                let capture: Vec<u8> = messages.iter().flat_map(|records| write(records)).collect();
                let heard = hear(&*profile, &capture, &[]);
                let at = format!("{name}, {:?}, as {form}", example.shows);
                assert_eq!(outcome(&*profile, &heard), expected, "{at}:\n{}", capture.escape_ascii());
                tried += 1;
            }
        }
    }
    assert!(tried >= 40 * FORMS.len(), "only {tried}");
}

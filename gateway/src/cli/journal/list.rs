//! `orugate journal list`.

use super::{Filter, Stop, remark, text};
use crate::archive::{Archive, Journal, Message, OfSample, Way};
use serde_json::json;
use std::io::{self, BufWriter, Write};

pub(super) fn run(
    journal: &Journal,
    filter: &Filter,
    sample: Option<&str>,
    as_json: bool,
) -> Result<u8, Stop> {
    let (archive, of_sample, damaged) = match sample {
        None => {
            let (archive, inspected) = journal.archive()?;
            (archive, None, inspected.damaged.len())
        }
        Some(sample) => {
            let OfSample { archive, messages, gathered, .. } = journal.of_sample(sample)?;
            (archive, Some(messages), gathered.damaged.len())
        }
    };
    let from = filter.from();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut listed = 0_u64;
    for (number, message) in &archive.messages {
        let wanted = of_sample.as_ref().is_none_or(|messages| messages.contains(number));
        if !wanted || !filter.takes(&archive, message, from) {
            continue;
        }
        listed += 1;
        if as_json {
            writeln!(out, "{}", as_value(&archive, *number, message))?;
        } else {
            line(&mut out, &archive, *number, message)?;
        }
    }
    if !as_json && listed == 0 {
        let what = if filter.is_all() && sample.is_none() {
            "There are no messages in"
        } else {
            "No such message is in"
        };
        writeln!(out, "{what} the journal {}.", journal.folder().display())?;
    }
    out.flush()?;
    remark(damaged);
    Ok(0)
}

fn line(out: &mut impl Write, archive: &Archive, number: u64, message: &Message) -> io::Result<()> {
    let instrument = if message.instrument.is_empty() { "?" } else { &message.instrument };
    let whole = match message.complete {
        _ if message.chunks.is_empty() => "no bytes",
        _ if !message.begins => "in part",
        Some(true) => "complete",
        Some(false) => "INCOMPLETE",
        None => "open",
    };
    let came = if message.received == 0 { "?".to_owned() } else { text::time(message.received) };
    let doubt = if message.clock == 0 && message.received != 0 { "?" } else { "" };
    writeln!(
        out,
        "{number}  {:<20}  {instrument:<20}  {whole:<10}  {}",
        came + doubt,
        archive.became(message)
    )
}

fn as_value(archive: &Archive, number: u64, message: &Message) -> serde_json::Value {
    let orus = message.orus.iter().filter_map(|number| archive.orus.get(number).map(|oru| (number, oru)));
    let orus = orus.map(|(number, oru)| {
        let (way, detail) = match &oru.standing {
            Way::Waiting => ("waiting", None),
            Way::Delivered(code) => ("delivered", Some(code.clone())),
            Way::Parked(why) => ("parked", Some(why.clone())),
            Way::Anew(new) => ("made-anew", Some(new.to_string())),
            Way::Superseded => ("superseded", None),
            Way::Discarded => ("discarded", None),
        };
        json!({ "number": number, "destination": &*oru.destination, "observations": oru.observations,
            "made": text::time(oru.at), "state": way, "detail": detail })
    });
    let holds =
        message.holds.iter().filter_map(|number| archive.holds.get(number).map(|hold| (number, hold)));
    let holds = holds.map(|(number, hold)| {
        json!({ "number": number, "reason": hold.reason, "observations": hold.observations,
            "open": hold.settled.is_none() })
    });
    json!({
        "message": number,
        "received": (message.received != 0).then(|| text::time(message.received)),
        "clock": message.clock,
        "instrument": &*message.instrument,
        "complete": message.complete,
        "begins": message.begins,
        "chunks": message.chunks.len(),
        "bytes": message.bytes,
        "state": archive.standing(message),
        "observations": message.fates,
        "orus": orus.collect::<Vec<_>>(),
        "holds": holds.collect::<Vec<_>>(),
    })
}

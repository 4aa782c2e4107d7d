//! Settlements on their way to the journal, and the stop.

use super::{LINK_LOST, plain, play};

#[test]
fn the_journal_and_the_end() {
    play(&[
        (
            "settled but not yet journalled: not sent again, and the next does not wait",
            plain,
            &[
                ("slow-journal", ""),
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA, send 2"),
                ("sent", ""),
                ("reset", LINK_LOST),
                ("after 1000 Reconnect", "connect"),
                ("up", "~Connected, send 2"),
                ("ack AA 1", "~Duplicate"),
                ("sent", ""),
                ("ack AA 2", "delivered 2 AA"),
                ("journal", ""),
                ("add 3", "send 3"),
            ],
        ),
        (
            "only so many may be unjournalled",
            |settings| settings.unsettled = 1,
            &[
                ("slow-journal", ""),
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA"),
                ("work", ""),
                ("journal", "send 2"),
            ],
        ),
        (
            "parked, not journalled, and delivered late",
            |settings| settings.retries = 0,
            &[
                ("slow-journal", ""),
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1", "~Parked, parked 1 AE, send 2"),
                ("sent", ""),
                ("ack AA 1", "~LateDelivery, delivered 1 AA"),
                ("ack AA 1", "~Duplicate"),
                ("ack AA 2", "delivered 2 AA"),
                ("journal", ""),
                ("ack AA 1", "~Duplicate"),
            ],
        ),
        ("stop while connecting", plain, &[("stop", "close, done"), ("up", "done")]),
        ("stop between tries", plain, &[("refused", "~Failed"), ("stop", "done"), ("work", "done")]),
        (
            "stop when it is time for a try",
            plain,
            &[("refused", "~Failed"), ("pass 60000", ""), ("stop", "done")],
        ),
        (
            "stop while a message rests",
            plain,
            &[("up", "~Connected, send 1"), ("sent", ""), ("ack AE 1", "~Refused"), ("stop", "close, done")],
        ),
        (
            "stop with a message in flight: a last wait",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("stop", ""),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA, close, done, done"),
            ],
        ),
        (
            "stop with a message in flight and no answer",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("stop", ""),
                ("after 5000 Stop", "~OutcomeUnknown, close, done"),
                ("status", "Stopped flight None unknown [1] blocked None failures 0"),
            ],
        ),
        (
            "stop with a message in flight and a reset",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("stop", ""),
                ("reset", "~OutcomeUnknown, ~Failed, done"),
            ],
        ),
    ]);
}

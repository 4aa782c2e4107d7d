//! Negative acknowledgments: tried again, parked, or in everybody's way.

use super::{plain, play, strict};

#[test]
fn refusal() {
    play(&[
        (
            "AE: three more tries with growing waits, then parked, next",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1 204^x", "~Refused"),
                ("status", "Connected flight None unknown [] blocked None failures 0"),
                ("after 1000 Retry", "send 1"),
                ("sent", ""),
                ("ack AE 1", "~Refused"),
                ("after 2000 Retry", "send 1"),
                ("sent", ""),
                ("ack CE 1", "~Refused"),
                ("after 4000 Retry", "send 1"),
                ("sent", ""),
                ("ack AE 1 101^x", "~Parked, parked 1 AE with error 101, send 2"),
            ],
        ),
        (
            "no tries: parked at the first refusal",
            |settings| settings.retries = 0,
            &[("up", "~Connected, send 1"), ("sent", ""), ("ack CE 1", "~Parked, parked 1 CE, send 2")],
        ),
        (
            "AE and then AA",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1", "~Refused"),
                ("add 3", ""),
                ("after 1000 Retry", "send 1"),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA, send 2"),
            ],
        ),
        (
            "the engine hangs up after AE: the message rests as long as it would have",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1", "~Refused"),
                ("eof", "~Disconnected"),
                ("after 1000 Retry", "connect"),
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1", "~Refused"),
                ("after 2000 Retry", "send 1"),
            ],
        ),
        (
            "AE 200 is content: only AR says unsupported",
            plain,
            &[("up", "~Connected, send 1"), ("sent", ""), ("ack AE 1 200^x", "~Refused")],
        ),
        (
            "AR 200",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AR 1 200^x", "~Parked, parked 1 AR with error 200, send 2"),
            ],
        ),
        (
            "AR 201",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AR 1 201^x", "~Parked, parked 1 AR with error 201, send 2"),
            ],
        ),
        (
            "CR 202",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack CR 1 202^x", "~Parked, parked 1 CR with error 202, send 2"),
            ],
        ),
        (
            "AR 203",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AR 1 203^x", "~Parked, parked 1 AR with error 203, send 2"),
            ],
        ),
        (
            "AR 207, AR 199, AR 204 and AR without a code: tried again",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AR 1 207^x", "~Refused"),
                ("after 1000 Retry", "send 1"),
                ("sent", ""),
                ("ack AR 1 199", "~Refused"),
                ("after 2000 Retry", "send 1"),
                ("sent", ""),
                ("ack CR 1 204", "~Refused"),
                ("after 4000 Retry", "send 1"),
                ("sent", ""),
                ("ack AR 1", "~Parked, parked 1 AR, send 2"),
            ],
        ),
        (
            "stop_on_error: kept in front, slowly, until a person parks it",
            strict,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AR 1 203", "~Blocked, ~Refused"),
                ("status", "Connected flight None unknown [] blocked Some(1) failures 0"),
                ("after 60000 Retry", "send 1"),
                ("sent", ""),
                ("ack AR 1 203", "~Refused"),
                ("park 1", "send 2"),
                ("status", "Connected flight Some(2) unknown [] blocked None failures 0"),
            ],
        ),
        (
            "stop_on_error: quick tries first; it is taken at last",
            |settings| {
                strict(settings);
                settings.retries = 1;
            },
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1", "~Refused"),
                ("after 1000 Retry", "send 1"),
                ("sent", ""),
                ("ack AE 1", "~Blocked, ~Refused"),
                ("after 60000 Retry", "send 1"),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA, send 2"),
                ("status", "Connected flight Some(2) unknown [] blocked None failures 0"),
            ],
        ),
        (
            "parked, unparked by a person, and tried anew",
            |settings| settings.retries = 0,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1", "~Parked, parked 1 AE, send 2"),
                ("sent", ""),
                ("unpark 1", ""),
                ("ack AA 2", "delivered 2 AA, send 1"),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA"),
            ],
        ),
        (
            "a message that cannot be read is tried again and parked in the end",
            |settings| settings.retries = 1,
            &[
                ("up", "~Connected, send 1"),
                ("unreadable", "~Refused"),
                ("after 1000 Retry", "send 1"),
                ("unreadable", "~Parked, parked 1 it cannot be read from the journal, send 2"),
            ],
        ),
    ]);
}

//! Positive acknowledgments: what makes a message delivered, and what is only a first step.

use super::{LINK_LOST, application, plain, play};

#[test]
fn acceptance() {
    play(&[
        (
            "AA and CA with our id: delivered, next",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("status", "Connected flight Some(1) unknown [] blocked None failures 0"),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA, send 2"),
                ("sent", ""),
                ("ack CA 2", "delivered 2 CA"),
                ("status", "Connected flight None unknown [] blocked None failures 0"),
                ("no-wait", ""),
                ("add 3", "send 3"),
            ],
        ),
        (
            "an application acknowledgment is required: CA is a first step",
            application,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("pass 20000", ""),
                ("ack CA 1", ""),
                ("ack CA 1", "~Duplicate"),
                ("ack AA 1", "delivered 1 AA, send 2"),
                ("sent", ""),
                ("ack AA 2", "delivered 2 AA"),
            ],
        ),
        (
            "an application acknowledgment is required and refuses",
            application,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack CA 1", ""),
                ("ack AE 1", "~Refused"),
                ("after 1000 Retry", "send 1"),
                ("sent", ""),
                ("ack CA 1", ""),
                ("ack AR 1 201^x", "~Parked, parked 1 AR with error 201, send 2"),
            ],
        ),
        (
            "an application acknowledgment is required and does not come",
            application,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("pass 29000", ""),
                ("ack CA 1", ""),
                ("after 30000 ApplicationAnswer", "~OutcomeUnknown, close NoApplicationAnswer, ~Failed"),
                ("status", "Waiting flight None unknown [1] blocked None failures 1"),
                ("after 1000 Reconnect", "connect"),
                ("up", "~Connected, send 1"),
                ("sent", ""),
            ],
        ),
        (
            "an application acknowledgment comes on another connection, before and after the resend",
            application,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack CA 1", ""),
                ("eof", LINK_LOST),
                ("after 1000 Reconnect", "connect"),
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA, send 2"),
                ("sent", ""),
                ("ack CA 1", "~Duplicate"),
                ("ack AA 1", "~Duplicate"),
                ("ack CA 2", ""),
                ("ack AA 2", "delivered 2 AA"),
            ],
        ),
    ]);
}

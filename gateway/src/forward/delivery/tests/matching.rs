//! Acknowledgments that are wrong, late or double: MSA-2 decides.

use super::{application, plain, play};

#[test]
fn wrong_late_and_double_acknowledgments() {
    play(&[
        (
            "MSA-2 of somebody else: discarded, and the time-out is not moved",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("pass 29000", ""),
                ("ack AA foreign", "~ForeignId"),
                ("ack AE foreign", "~ForeignId"),
                ("ack AA 2", "~NeverSent"),
                ("ack AA 7", "~Duplicate"),
                ("after 1000 Answer", "~OutcomeUnknown, close NoAnswer, ~Failed"),
            ],
        ),
        (
            "a blank MSA-2 is nobody's",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AA blank", "~BlankId"),
                ("after 30000 Answer", "~OutcomeUnknown, close NoAnswer, ~Failed"),
            ],
        ),
        (
            "a blank MSA-2 by option: only for a message in flight",
            |settings| settings.accept_blank_msa2 = true,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AA blank", "delivered 1 AA, send 2"),
                ("sent", ""),
                ("ack AA foreign", "~ForeignId"),
                ("ack AE blank", "~Refused"),
                ("ack AA blank", "~BlankId"),
            ],
        ),
        (
            "a late AA of a message that rests after AE: its resend is cancelled",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1", "~Refused"),
                ("ack AE 1", "~LateRefusal"),
                ("ack AA 1", "~LateDelivery, delivered 1 AA, send 2"),
            ],
        ),
        (
            "a late AA of a parked message: delivered, and the one in flight stays in flight",
            |settings| settings.retries = 0,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1", "~Parked, parked 1 AE, send 2"),
                ("sent", ""),
                ("ack AR 1", "~LateRefusal"),
                ("ack AA 1", "~LateDelivery, delivered 1 AA"),
                ("ack AA 1", "~Duplicate"),
                ("ack AA 2", "delivered 2 AA"),
            ],
        ),
        (
            "a late CA does not deliver where AA is required",
            |settings| {
                application(settings);
                settings.retries = 0;
            },
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack CE 1", "~Parked, parked 1 CE, send 2"),
                ("sent", ""),
                ("ack CA 1", "~LateRefusal"),
                ("ack AA 1", "~LateDelivery, delivered 1 AA"),
            ],
        ),
        (
            "duplicates: ignored",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA, send 2"),
                ("ack AA 1", "~Duplicate"),
                ("sent", ""),
                ("ack AE 1", "~Duplicate"),
                ("ack AA 2", "delivered 2 AA"),
                ("ack AA 2", "~Duplicate"),
            ],
        ),
        (
            "a late ack after the reconnect: delivers the resend in flight; the resend's own ack is a duplicate",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("after 30000 Answer", "~OutcomeUnknown, close NoAnswer, ~Failed"),
                ("ack AA 1", ""),
                ("after 1000 Reconnect", "connect"),
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AA 1", "delivered 1 AA, send 2"),
                ("sent", ""),
                ("ack AA 1", "~Duplicate"),
                ("status", "Connected flight Some(2) unknown [] blocked None failures 0"),
            ],
        ),
        (
            "an ack of a message that a person has unparked below the one in flight",
            |settings| settings.retries = 0,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AE 1", "~Parked, parked 1 AE, send 2"),
                ("sent", ""),
                ("unpark 1", ""),
                ("ack AA 1", "~LateDelivery, delivered 1 AA"),
                ("ack AA 2", "delivered 2 AA"),
            ],
        ),
    ]);
}

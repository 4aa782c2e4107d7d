//! Bytes that are no acknowledgment, or come in odd pieces.

use super::{LINK_LOST, plain, play};
use std::time::Duration;

#[test]
fn bytes_that_are_not_as_they_should_be() {
    play(&[
        (
            "not HL7",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VTokFSCR", "~OutcomeUnknown, close NotHl7, ~Failed"),
                ("after 1000 Reconnect", "connect"),
                ("up", "~Connected, send 1"),
            ],
        ),
        (
            "an empty frame",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VTFSCR", "~OutcomeUnknown, close NotHl7, ~Failed"),
            ],
        ),
        (
            "HL7 without MSA",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VTMSH|^~\\&|ECRFSCR", "~OutcomeUnknown, close NotAnAck, ~Failed"),
            ],
        ),
        (
            "a code that does not exist",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack AX 1", "~OutcomeUnknown, close UnknownCode, ~Failed"),
            ],
        ),
        (
            "a lower-case code",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("ack aa 1", "~OutcomeUnknown, close UnknownCode, ~Failed"),
            ],
        ),
        (
            "two acknowledgments in one frame",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VT{1}{1}FSCR", "~OutcomeUnknown, close NotHl7, ~Failed"),
            ],
        ),
        (
            "noise without end",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("flood .", "~Noise, ~OutcomeUnknown, close Noise, ~Failed"),
            ],
        ),
        (
            "a frame without end",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VT", ""),
                ("flood .", "~OutcomeUnknown, close TooLong, ~Failed"),
            ],
        ),
        (
            "FS and no CR",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VT{1}FSxCR", "~OutcomeUnknown, close FrameEnd, ~Failed"),
            ],
        ),
        (
            "garbage after a good acknowledgment",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VT{1}FSCRVTxFSCR", "delivered 1 AA, close NotHl7, ~Failed"),
                ("after 1000 Reconnect", "connect"),
                ("up", "~Connected, send 2"),
            ],
        ),
        (
            "nothing of a frame counts that comes after the failure",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VTxFSCRVT{1}FSCR", "~OutcomeUnknown, close NotHl7, ~Failed"),
            ],
        ),
        (
            "a frame in two pieces",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VT", ""),
                ("pass 9000", ""),
                ("raw {1}FS", ""),
                ("pass 9000", ""),
                ("raw CR", "delivered 1 AA, send 2"),
            ],
        ),
        (
            "a frame that stalls",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VT{1}", ""),
                ("after 10000 Frame", "~OutcomeUnknown, close FrameStalled, ~Failed"),
            ],
        ),
        (
            "a frame that stalls is no reason to wait longer",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("pass 29000", ""),
                ("raw VT{1}", ""),
                ("after 1000 Answer", "~OutcomeUnknown, close NoAnswer, ~Failed"),
            ],
        ),
        (
            "a cut frame before the end of the connection",
            plain,
            &[("up", "~Connected, send 1"), ("sent", ""), ("raw VT{1}FS", ""), ("eof", LINK_LOST)],
        ),
        (
            "an acknowledgment twice, glued",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VT{1}FSCRVT{1}FSCR", "delivered 1 AA, ~Duplicate, send 2"),
            ],
        ),
        (
            "noise before VT",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw xxVT{1}FSCR", "~Noise, delivered 1 AA, send 2"),
            ],
        ),
        (
            "a line feed after the frame",
            plain,
            &[("up", "~Connected, send 1"), ("sent", ""), ("raw VT{1}FSCR\n", "delivered 1 AA, send 2")],
        ),
        (
            "VT in a frame",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VTMSH|VT{1}FSCR", "~Restarted, delivered 1 AA, send 2"),
            ],
        ),
        (
            "a missing CR",
            plain,
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VT{1}FS", ""),
                ("after 10000 Frame", "~OutcomeUnknown, close FrameStalled, ~Failed"),
            ],
        ),
        (
            "a missing CR by option",
            |settings| settings.missing_cr = Some(Duration::from_millis(200)),
            &[
                ("up", "~Connected, send 1"),
                ("sent", ""),
                ("raw VT{1}FS", ""),
                ("after 200 MissingCr", "~MissingCr, delivered 1 AA, send 2"),
                ("raw CR", ""),
                ("sent", ""),
                ("ack AA 2", "delivered 2 AA"),
            ],
        ),
        (
            "garbage while idle",
            |s| s.unsettled = 0,
            &[("up", "~Connected"), ("raw VTxFSCR", "close NotHl7, ~Failed")],
        ),
    ]);
}

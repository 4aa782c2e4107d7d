//! The instrument asks for orders, and the gateway is the sender: faults at each step of its answer.

use crate::cells::{Mode, Table, check, notes, rows};
use crate::peer::Peer;
use crate::rig::{Setup, run};
use orugate_protocol::ascii::{ACK, ENQ, EOT, NAK, STX};
use orugate_tests::sender::invented;
use std::time::Duration;

/// What the instrument does in place of an ACK.
const KINDS: [(&str, Does); 12] = [
    ("ACK, as it should be", Does::Send(&[ACK])),
    ("nothing", Does::Send(&[])),
    ("NAK, once", Does::Send(&[NAK])),
    ("NAK, 20 times", Does::Always(&[NAK])),
    ("ENQ, and asks again after 1 s", Does::Contend),
    ("ENQ, 20 times", Does::Always(&[ENQ])),
    ("EOT", Does::Send(&[EOT])),
    ("a stray byte, then ACK", Does::Send(&[0x55, ACK])),
    ("two ACKs", Does::Send(&[ACK, ACK])),
    ("ACK after 14 s", Does::Late(14)),
    ("ACK after 16 s", Does::Late(16)),
    ("closes the connection", Does::Close),
];

#[derive(Clone, Copy)]
enum Does {
    Send(&'static [u8]),
    Always(&'static [u8]),
    Contend,
    Late(u64),
    Close,
}

impl Does {
    const fn times(self) -> u32 {
        match self {
            Self::Always(_) => 20,
            _ => 1,
        }
    }
}

const TEXT: &str = "
         ACK, as it should be: y   y
                      nothing: nf  nf
                    NAK, once: Yq  y
                NAK, 20 times: Yq  nf
ENQ, and asks again after 1 s: Yg  nfu
                ENQ, 20 times: Yg  nfu
                          EOT: nfu y
       a stray byte, then ACK: yy  yy
                     two ACKs: yu  yu
               ACK after 14 s: y   y
               ACK after 16 s: nfu nfu
        closes the connection: nf  nf
";

/// The answers' letters.
pub(crate) const OUTCOMES: [(char, &str); 3] = [
    ('y', "The instrument got the answer, once."),
    ('Y', "It got the answer, at another try."),
    ('n', "It got none; a query that it sends again is answered again."),
];

pub(crate) fn table(mode: Mode) -> Table {
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let columns = vec!["to its ENQ".to_owned(), "to its frame".to_owned()];
    let title = "The gateway answers a query, and the instrument answers".to_owned();
    let table = Table { title, columns, rows: rows(&names, TEXT) };
    check(mode, &table, |row, column| play(KINDS[row].1, column == 1));
    table
}

fn play(does: Does, at_frame: bool) -> String {
    run(&Setup::default(), async |rig| {
        let mut peer = Peer::connect(rig, "one").await;
        let query = ["H|\\^&|||RIG^1|||||||P|1|20261122093000", "Q|1|^T-1||ALL||||||||O", "L|1|N"];
        assert!(peer.message(&query.map(str::to_owned)).await);
        let (mut asked, mut got, mut done) = (0, 0, 0);
        // Everything that the gateway begins within ten minutes.
        while let Some(byte) = peer.byte_within(Duration::from_secs(600)).await {
            match byte {
                ENQ => {
                    asked += 1;
                    let here = !at_frame && done < does.times();
                    if here && !act(&mut peer, does, at_frame, &mut done).await {
                        if matches!(does, Does::Close) {
                            peer = Peer::connect(rig, "one").await;
                        }
                        continue;
                    }
                    if !here {
                        peer.send(&[ACK]).await;
                    }
                }
                STX => {
                    let Some(frame) = peer.frame().await else { continue };
                    assert!(
                        frame.windows(3).any(|part| part == b"L|1"),
                        "no answer: {}",
                        frame.escape_ascii()
                    );
                    if at_frame && done < does.times() {
                        if act(&mut peer, does, at_frame, &mut done).await {
                            got += 1;
                        } else if matches!(does, Does::Close) {
                            peer = Peer::connect(rig, "one").await;
                        }
                    } else {
                        got += 1;
                        peer.send(&[ACK]).await;
                    }
                }
                EOT => {}
                other => panic!("{other:#04x} came"),
            }
        }
        // Whatever became of the answer, results go through.
        assert!(
            peer.message(&invented("S-1", "20261122093000", &[42])).await,
            "the line does not work any more"
        );
        rig.pass(120).await;
        let came = rig.came("one");
        assert!(rig.is_drained() && came.sent.len() == 1 && came.sent[0].value == "42", "{came:?}");
        let letter = match (got, asked) {
            (0, _) => 'n',
            (1, 1) => 'y',
            (1, _) => 'Y',
            _ => '?',
        };
        format!("{letter}{}", notes(&came))
    })
}

/// Does it; true when the gateway may go on as after an ACK.
async fn act(peer: &mut Peer, does: Does, at_frame: bool, done: &mut u32) -> bool {
    *done += 1;
    match does {
        Does::Send(bytes) | Does::Always(bytes) => {
            peer.send(bytes).await;
            // An EOT for the last frame is an ACK with a wish.
            bytes.contains(&ACK) || (bytes == [EOT] && at_frame)
        }
        Does::Contend => {
            peer.send(&[ENQ]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.send(&[ENQ]).await;
            if peer.byte().await == Some(ACK) {
                peer.send(&[EOT]).await;
            }
            false
        }
        Does::Late(seconds) => {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            peer.send(&[ACK]).await;
            seconds < 15
        }
        Does::Close => false,
    }
}

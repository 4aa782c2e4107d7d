//! Every state with every kind of input, as one table.

use super::*;
use expect_test::expect;

#[test]
fn every_state_with_every_input() {
    let states: &[(&str, &[&str])] = &[
        ("neutral", &[]),
        ("neutral, busy", &["busy"]),
        ("neutral, after noise", &["> x"]),
        ("neutral, waiting for a busy peer", &["offer m", "> <NAK>"]),
        ("neutral, after contention", &["offer m", "> <ENQ>"]),
        ("establishing", &["offer m"]),
        ("sending", &["offer m", "> <ACK>"]),
        ("receiving, no frame yet", &["> <ENQ>"]),
        ("receiving, after ETB", &["> <ENQ>{1:a:ETB}", "accept"]),
        ("receiving, after ETX", &["> <ENQ>{1:a:ETX}", "accept"]),
        ("receiving, after noise", &["> <ENQ>", "> x"]),
        ("receiving, after a refused frame", &["> <ENQ>{1:a:ETX}", "refuse"]),
        ("receiving, STX has come", &["> <ENQ><STX>"]),
        ("receiving, in the text", &["> <ENQ><STX>1a"]),
        ("receiving, in the checksum", &["> <ENQ><STX>1a<ETX>9"]),
        ("receiving, in the tail", &["> <ENQ><STX>1a<ETX>95"]),
        ("receiving, after CR", &["> <ENQ><STX>1a<ETX>95<CR>"]),
        ("receiving, in a bad frame", &["> <ENQ><STX>xa"]),
        ("receiving, after ENQ in a frame", &["> <ENQ><STX>1a<ENQ>"]),
        ("receiving, after EOT in a frame", &["> <ENQ><STX>1a<EOT>"]),
        ("receiving, frame held", &["> <ENQ>{1:a:ETX}"]),
        ("receiving, frame held too long", &["> <ENQ>{1:a:ETX}", "+14000"]),
    ];
    let mut table = String::new();
    for (state, steps) in states {
        table.push_str(&format!("{state}\n"));
        for input in ["<ENQ>", "<ACK>", "<NAK>", "<EOT>", "<STX>", "#", "deadline"] {
            let mut run = Run::new(Settings::default());
            steps.iter().for_each(|step| run.step(step));
            run.log.clear();
            if input == "deadline" {
                if let Some(deadline) = run.link.deadline() {
                    run.pass(deadline.at);
                }
            } else {
                run.unread.extend(bytes(input));
                run.pump();
            }
            let log: Vec<_> = run.log.lines().map(str::trim).collect();
            let then = run.link.deadline().map_or("nothing".to_string(), |d| d.to_string());
            table.push_str(&format!("    {input:8} {} | then {then}\n", log.join(" | ")));
        }
    }
    expect![[r#"
        neutral
            <ENQ>    ! established | < <ACK> | then 30 s for the next frame or EOT
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! trouble at 0: unexpected EOT | then nothing
            <STX>     | then 200 ms for the end of stray bytes
            #         | then 200 ms for the end of stray bytes
            deadline  | then nothing
        neutral, busy
            <ENQ>    ! peer turned away: busy | < <NAK> | then nothing
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! trouble at 0: unexpected EOT | then nothing
            <STX>     | then 200 ms for the end of stray bytes
            #         | then 200 ms for the end of stray bytes
            deadline  | then nothing
        neutral, after noise
            <ENQ>     | then 200 ms for the end of stray bytes
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>     | then 200 ms for the end of stray bytes
            <STX>     | then 200 ms for the end of stray bytes
            #         | then 200 ms for the end of stray bytes
            deadline @200 200 ms for the end of stray bytes | ! trouble at 0: stray byte 78 | then nothing
        neutral, waiting for a busy peer
            <ENQ>    ! established | < <ACK> | then 30 s for the next frame or EOT
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! trouble at 1: unexpected EOT | then 10 s for the peer, which is busy
            <STX>     | then 200 ms for the end of stray bytes
            #         | then 200 ms for the end of stray bytes
            deadline @10000 10 s for the peer, which is busy | < <ENQ> | then 15 s for the reply to ENQ
        neutral, after contention
            <ENQ>    ! established | < <ACK> | then 30 s for the next frame or EOT
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! trouble at 1: unexpected EOT | then 20 s for the line, after both asked for it
            <STX>     | then 200 ms for the end of stray bytes
            #         | then 200 ms for the end of stray bytes
            deadline @20000 20 s for the line, after both asked for it | < <ENQ> | then 15 s for the reply to ENQ
        establishing
            <ENQ>    ! contention | then 20 s for the line, after both asked for it
            <ACK>    < <STX>1m<ETX>A1<CR><LF> | then 15 s for the reply to frame 1
            <NAK>    ! peer is busy | then 10 s for the peer, which is busy
            <EOT>    ! trouble at 0: unexpected EOT | then 15 s for the reply to ENQ
            <STX>     | then 200 ms for the end of stray bytes
            #         | then 200 ms for the end of stray bytes
            deadline @15000 15 s for the reply to ENQ | ! failed: no reply to ENQ | < <EOT> | then nothing
        sending
            <ENQ>    ! trouble at 1: unexpected ENQ | then 15 s for the reply to frame 1
            <ACK>    ! frame 1 sent | < <EOT> | ! delivered | then nothing
            <NAK>    < <STX>1m<ETX>A1<CR><LF> | then 15 s for the reply to frame 1
            <EOT>    ! frame 1 sent | < <EOT> | ! delivered | then nothing
            <STX>     | then 200 ms for the end of stray bytes
            #         | then 200 ms for the end of stray bytes
            deadline @15000 15 s for the reply to frame 1 | ! failed: no reply to frame 1 | < <EOT> | then nothing
        receiving, no frame yet
            <ENQ>     | then 200 ms for the end of stray bytes
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! ended: empty | then nothing
            <STX>     | then 30 s for the next frame or EOT
            #         | then 200 ms for the end of stray bytes
            deadline @30000 30 s for the next frame or EOT | ! ended: incomplete, silence | then nothing
        receiving, after ETB
            <ENQ>     | then 200 ms for the end of stray bytes
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! ended: incomplete, EOT after ETB | then nothing
            <STX>     | then 30 s for the next frame or EOT
            #         | then 200 ms for the end of stray bytes
            deadline @30000 30 s for the next frame or EOT | ! ended: incomplete, silence | then nothing
        receiving, after ETX
            <ENQ>     | then 200 ms for the end of stray bytes
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! ended: complete | then nothing
            <STX>     | then 30 s for the next frame or EOT
            #         | then 200 ms for the end of stray bytes
            deadline @30000 30 s for the next frame or EOT | ! ended: incomplete, silence | then nothing
        receiving, after noise
            <ENQ>     | then 200 ms for the end of stray bytes
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>     | then 200 ms for the end of stray bytes
            <STX>    ! trouble at 1: stray byte 78 | then 30 s for the next frame or EOT
            #         | then 200 ms for the end of stray bytes
            deadline @200 200 ms for the end of stray bytes | ! trouble at 1: stray byte 78 | then 30 s for the next frame or EOT
        receiving, after a refused frame
            <ENQ>     | then 200 ms for the end of stray bytes
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! ended: incomplete, EOT after a frame that was not acknowledged | then nothing
            <STX>     | then 30 s for the next frame or EOT
            #         | then 200 ms for the end of stray bytes
            deadline @30000 30 s for the next frame or EOT | ! ended: incomplete, silence | then nothing
        receiving, STX has come
            <ENQ>    ! trouble at 2: ENQ inside a frame | then 200 ms for the end of stray bytes
            <ACK>    ! trouble at 2: ACK in place of a frame number | then 200 ms for the end of stray bytes
            <NAK>    ! trouble at 2: NAK in place of a frame number | then 200 ms for the end of stray bytes
            <EOT>    ! trouble at 2: EOT inside a frame | then 200 ms for the end of stray bytes
            <STX>    ! trouble at 2: STX inside a frame | then 30 s for the next frame or EOT
            #        ! trouble at 2: 23 in place of a frame number | then 200 ms for the end of stray bytes
            deadline @30000 30 s for the next frame or EOT | ! ended: incomplete, silence | then nothing
        receiving, in the text
            <ENQ>    ! trouble at 4: ENQ inside a frame | then 200 ms for the end of stray bytes
            <ACK>     | then 30 s for the next frame or EOT
            <NAK>     | then 30 s for the next frame or EOT
            <EOT>    ! trouble at 4: EOT inside a frame | then 200 ms for the end of stray bytes
            <STX>    ! trouble at 4: STX inside a frame | then 30 s for the next frame or EOT
            #         | then 30 s for the next frame or EOT
            deadline @30000 30 s for the next frame or EOT | ! ended: incomplete, silence | then nothing
        receiving, in the checksum
            <ENQ>    ! trouble at 6: ENQ inside a frame | then 200 ms for the end of stray bytes
            <ACK>    ! trouble at 6: ACK in place of a checksum | then 200 ms for the end of stray bytes
            <NAK>    ! trouble at 6: NAK in place of a checksum | then 200 ms for the end of stray bytes
            <EOT>    ! trouble at 6: EOT inside a frame | then 200 ms for the end of stray bytes
            <STX>    ! trouble at 6: STX inside a frame | then 30 s for the next frame or EOT
            #        ! trouble at 6: 23 in place of a checksum | then 200 ms for the end of stray bytes
            deadline @30000 30 s for the next frame or EOT | ! ended: incomplete, silence | then nothing
        receiving, in the tail
            <ENQ>     | then 200 ms for the frame's CR LF
            <ACK>    ! trouble at 7: ACK in place of CR LF | then 200 ms for the end of stray bytes
            <NAK>    ! trouble at 7: NAK in place of CR LF | then 200 ms for the end of stray bytes
            <EOT>    ! frame 1 of 6 bytes, ETX | . 1 bytes not taken | then 14 s for frame 1 to be stored
            <STX>    ! frame 1 of 6 bytes, ETX | . 1 bytes not taken | then 14 s for frame 1 to be stored
            #        ! trouble at 7: 23 in place of CR LF | then 200 ms for the end of stray bytes
            deadline @200 200 ms for the frame's CR LF | ! frame 1 of 6 bytes, ETX | then 14 s for frame 1 to be stored
        receiving, after CR
            <ENQ>    ! frame 1 of 7 bytes, ETX | . 1 bytes not taken | then 14 s for frame 1 to be stored
            <ACK>    ! frame 1 of 7 bytes, ETX | . 1 bytes not taken | then 14 s for frame 1 to be stored
            <NAK>    ! frame 1 of 7 bytes, ETX | . 1 bytes not taken | then 14 s for frame 1 to be stored
            <EOT>    ! frame 1 of 7 bytes, ETX | . 1 bytes not taken | then 14 s for frame 1 to be stored
            <STX>    ! frame 1 of 7 bytes, ETX | . 1 bytes not taken | then 14 s for frame 1 to be stored
            #        ! frame 1 of 7 bytes, ETX | . 1 bytes not taken | then 14 s for frame 1 to be stored
            deadline @200 200 ms for the frame's CR LF | ! frame 1 of 7 bytes, ETX | then 14 s for frame 1 to be stored
        receiving, in a bad frame
            <ENQ>     | then 200 ms for the end of stray bytes
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>     | then 200 ms for the end of stray bytes
            <STX>    ! trouble at 3: stray byte 61 | < <NAK> | ! frame of 1 bytes rejected | then 30 s for the next frame or EOT
            #         | then 200 ms for the end of stray bytes
            deadline @200 200 ms for the end of stray bytes | ! trouble at 3: stray byte 61 | < <NAK> | ! frame of 1 bytes rejected | then 30 s for the next frame or EOT
        receiving, after ENQ in a frame
            <ENQ>     | then 200 ms for the end of stray bytes
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>     | then 200 ms for the end of stray bytes
            <STX>    ! ended: incomplete, a new ENQ | ! established | then 30 s for the next frame or EOT
            #         | then 200 ms for the end of stray bytes
            deadline @200 200 ms for the end of stray bytes | ! ended: incomplete, a new ENQ | < <ACK> | ! established | then 30 s for the next frame or EOT
        receiving, after EOT in a frame
            <ENQ>    ! ended: incomplete, EOT after a frame that was not acknowledged | ! established | < <ACK> | then 30 s for the next frame or EOT
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! ended: incomplete, EOT after a frame that was not acknowledged | ! trouble at 5: unexpected EOT | then nothing
            <STX>    ! ended: incomplete, EOT after a frame that was not acknowledged | then 200 ms for the end of stray bytes
            #         | then 200 ms for the end of stray bytes
            deadline @200 200 ms for the end of stray bytes | ! ended: incomplete, EOT after a frame that was not acknowledged | then nothing
        receiving, frame held
            <ENQ>    . 1 bytes not taken | then 14 s for frame 1 to be stored
            <ACK>    . 1 bytes not taken | then 14 s for frame 1 to be stored
            <NAK>    . 1 bytes not taken | then 14 s for frame 1 to be stored
            <EOT>    . 1 bytes not taken | then 14 s for frame 1 to be stored
            <STX>    . 1 bytes not taken | then 14 s for frame 1 to be stored
            #        . 1 bytes not taken | then 14 s for frame 1 to be stored
            deadline @14000 14 s for frame 1 to be stored | ! trouble at 1: frame 1 was stored too late for a reply | then 30 s for the next frame or EOT
        receiving, frame held too long
            <ENQ>     | then 200 ms for the end of stray bytes
            <ACK>     | then 200 ms for the end of stray bytes
            <NAK>     | then 200 ms for the end of stray bytes
            <EOT>    ! ended: incomplete, EOT after a frame that was not acknowledged | then nothing
            <STX>     | then 30 s for the next frame or EOT
            #         | then 200 ms for the end of stray bytes
            deadline @44000 30 s for the next frame or EOT | ! ended: incomplete, silence | then nothing
    "#]].assert_eq(&table);
}

//! The sending side of LIS01-A2, row by row.

use super::*;
use crate::ascii::ACK;
use expect_test::expect;

#[test]
fn a_transfer() {
    check(
        Settings { send_text_max: 5, ..Settings::default() },
        r"offer H|\^&<CR>L|1<CR>
          ?
          > <ACK>
          ?
          > <ACK>
          > <ACK>
          withdraw",
        &expect![[r#"
            offer H|\^&<CR>L|1<CR>
              < <ENQ>
            ?
              at 15000: 15 s for the reply to ENQ
            > <ACK>
              < <STX>1H|\^&<ETB>EC<CR><LF>
            ?
              at 15000: 15 s for the reply to frame 1
            > <ACK>
              ! frame 1 sent
              < <STX>2<CR>L|1<CR><ETX>48<CR><LF>
            > <ACK>
              ! frame 2 sent
              < <EOT>
              ! delivered
            withdraw
              H|\^&<CR>L|1<CR>
        "#]],
    );
}

#[test]
fn one_record_per_frame() {
    check(
        Settings { send_text_max: 5, split: Split::Record, ..Settings::default() },
        r"offer H|\^&<CR>P|1<CR>L
          > <ACK>
          > <ACK>
          > <ACK>
          > <ACK>
          > <ACK>",
        &expect![[r#"
            offer H|\^&<CR>P|1<CR>L
              < <ENQ>
            > <ACK>
              < <STX>1H|\^&<ETB>EC<CR><LF>
            > <ACK>
              ! frame 1 sent
              < <STX>2<CR><ETX>42<CR><LF>
            > <ACK>
              ! frame 2 sent
              < <STX>3P|1<CR><ETX>40<CR><LF>
            > <ACK>
              ! frame 3 sent
              < <STX>4L<ETX>83<CR><LF>
            > <ACK>
              ! frame 4 sent
              < <EOT>
              ! delivered
        "#]],
    );
}

#[test]
fn numbers_go_round_and_start_again() {
    let mut run = Run::new(Settings { send_text_max: 1, ..Settings::default() });
    run.step("offer abcdefghij");
    for _ in 0..11 {
        run.step("> <ACK>");
    }
    run.step("offer k");
    run.step("> <ACK>");
    let numbers: String =
        run.log.match_indices("< <STX>").map(|(at, found)| &run.log[at + found.len()..][..1]).collect();
    assert_eq!(numbers, "12345670121");
}

#[test]
fn no_reply_to_enq() {
    check(
        Settings::default(),
        r"offer L|1<CR>
          +15000
          > <ACK>
          +200
          withdraw",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            +15000
              @15000 15 s for the reply to ENQ
              ! failed: no reply to ENQ
              < <EOT>
            > <ACK>
            +200
              @15200 200 ms for the end of stray bytes
              ! trouble at 0: unexpected ACK
            withdraw
              L|1<CR>
        "#]],
    );
}

#[test]
fn no_reply_to_a_frame() {
    check(
        Settings::default(),
        r"offer L|1<CR>
          > <ACK>
          ?
          +15000",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            ?
              at 15000: 15 s for the reply to frame 1
            +15000
              @15000 15 s for the reply to frame 1
              ! failed: no reply to frame 1
              < <EOT>
        "#]],
    );
}

#[test]
fn the_peer_is_busy() {
    check(
        Settings::default(),
        r"offer L|1<CR>
          > <NAK>
          ?
          +9999
          +1",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <NAK>
              ! peer is busy
            ?
              at 10000: 10 s for the peer, which is busy
            +9999
            +1
              @10000 10 s for the peer, which is busy
              < <ENQ>
        "#]],
    );
}

#[test]
fn busy_does_not_end_with_a_transfer_of_the_peer() {
    check(
        Settings::default(),
        r"offer L|1<CR>
          > <NAK>
          > <ENQ>{1:a:ETX}
          accept
          > <EOT>
          ?",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <NAK>
              ! peer is busy
            > <ENQ>{1:a:ETX}
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
            ?
              at 10000: 10 s for the peer, which is busy
        "#]],
    );
}

#[test]
fn contention() {
    check(
        instrument(),
        r"offer L|1<CR>
          > <ENQ>
          +1000",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ENQ>
              ! contention
            +1000
              @1000 1 s for the line, after both asked for it
              < <ENQ>
        "#]],
    );
    check(
        Settings::default(),
        r"offer L|1<CR>
          > <ENQ>
          +1000
          > <ENQ>{1:a:ETX}
          accept
          > <EOT>",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ENQ>
              ! contention
            +1000
            > <ENQ>{1:a:ETX}
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
              < <ENQ>
        "#]],
    );
    check(
        Settings::default(),
        r"offer L|1<CR>
          > <ENQ>
          ?
          +20000",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ENQ>
              ! contention
            ?
              at 20000: 20 s for the line, after both asked for it
            +20000
              @20000 20 s for the line, after both asked for it
              < <ENQ>
        "#]],
    );
    check(
        Settings { answer_colliding_enq: true, ..Settings::default() },
        r"offer L|1<CR>
          > <ENQ>{1:a:ETX}
          accept
          > <EOT>",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ENQ>{1:a:ETX}
              ! contention
              < <ACK>
              ! established
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
              < <ENQ>
        "#]],
    );
}

#[test]
fn naks() {
    check(
        Settings::default(),
        r"offer L|1<CR>
          > <ACK>
          > <NAK>
          > <NAK>
          > <NAK>
          > <NAK>
          > <NAK>
          > <NAK>",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <NAK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <NAK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <NAK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <NAK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <NAK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <NAK>
              ! failed: frame 1 refused 6 times
              < <EOT>
        "#]],
    );
}

#[test]
fn naks_are_counted_for_each_frame() {
    let mut run = Run::new(Settings { send_text_max: 1, ..Settings::default() });
    run.step("offer abc");
    run.step("> <ACK>");
    for _ in 0..3 {
        for _ in 0..5 {
            run.step("> <NAK>");
        }
        run.step("> <ACK>");
    }
    assert!(run.log.contains("! delivered"), "{}", run.log);
    assert!(!run.log.contains("failed"), "{}", run.log);
}

#[test]
fn an_interrupt_is_granted() {
    check(
        Settings { send_text_max: 4, ..instrument() },
        r"offer L|1<CR>C|1<CR>
          > <ACK>
          > <EOT>
          ?
          +14999
          +1
          > <ACK>",
        &expect![[r#"
            offer L|1<CR>C|1<CR>
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETB>4E<CR><LF>
            > <EOT>
              ! frame 1 sent
              < <EOT>
              ! interrupted
            ?
              at 15000: 15 s for the peer, which asked for the line
            +14999
            +1
              @15000 15 s for the peer, which asked for the line
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETB>4E<CR><LF>
        "#]],
    );
}

#[test]
fn an_interrupt_that_is_used_ends_the_wait() {
    check(
        Settings { send_text_max: 4, ..instrument() },
        r"offer L|1<CR>C|1<CR>
          > <ACK>
          > <EOT>
          > <ENQ>{1:Q:ETX}
          accept
          > <EOT>",
        &expect![[r#"
            offer L|1<CR>C|1<CR>
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETB>4E<CR><LF>
            > <EOT>
              ! frame 1 sent
              < <EOT>
              ! interrupted
            > <ENQ>{1:Q:ETX}
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
              < <ENQ>
        "#]],
    );
}

#[test]
fn an_interrupt_after_the_last_frame_delivers() {
    check(
        instrument(),
        r"offer L|1<CR>
          > <ACK>
          > <EOT>
          offer M|1<CR>
          ?",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <EOT>
              ! frame 1 sent
              < <EOT>
              ! delivered
            offer M|1<CR>
            ?
              at 15000: 15 s for the peer, which asked for the line
        "#]],
    );
}

#[test]
fn an_interrupt_can_be_ignored() {
    check(
        Settings { send_text_max: 4, interrupts: Interrupts::Ignore, ..instrument() },
        r"offer L|1<CR>C|1<CR>
          > <ACK>
          > <EOT>
          > <ACK>",
        &expect![[r#"
            offer L|1<CR>C|1<CR>
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETB>4E<CR><LF>
            > <EOT>
              ! frame 1 sent
              < <STX>2C|1<CR><ETX>32<CR><LF>
            > <ACK>
              ! frame 2 sent
              < <EOT>
              ! delivered
        "#]],
    );
}

#[test]
fn strange_replies() {
    check(
        Settings::default(),
        r"offer L|1<CR>
          > x
          +200
          > <ACK>
          > <CR><LF><NUL>
          > xy<ENQ>
          > <ACK>",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > x
            +200
              @200 200 ms for the end of stray bytes
              ! trouble at 0: stray byte 78
            > <ACK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <CR><LF><NUL>
            > xy<ENQ>
              ! trouble at 5: 2 stray bytes, first 78
              ! trouble at 7: unexpected ENQ
            > <ACK>
              ! frame 1 sent
              < <EOT>
              ! delivered
        "#]],
    );
    check(
        Settings { strange_reply: StrangeReply::Nak, ..Settings::default() },
        r"offer L|1<CR>
          > <ACK>
          > <CR><LF><NUL>
          > x
          > <ACK>",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <CR><LF><NUL>
            > x
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            > <ACK>
              ! trouble at 4: stray byte 78
              < <EOT>
              ! frame 1 sent
              ! delivered
        "#]],
    );
}

#[test]
fn a_reply_from_before_the_frame_is_none() {
    let mut link = link(Settings { send_text_max: 1, ..Settings::default() });
    let now = Tick::ZERO;
    link.offer(b"ab".to_vec()).unwrap();
    assert_eq!(link.transmit(now), Some(&[ENQ][..]));
    assert_eq!(link.receive(now, &[ACK, ACK, ACK]), (3, None));
    assert!(link.transmit(now).unwrap().starts_with(b"\x021a\x17"));
    assert!(matches!(link.receive(now, &[ACK]), (1, Some(Event::Trouble(_)))));
    assert_eq!(link.receive(now, &[]), (0, Some(Event::FrameSent { number: 1 })));
}

#[test]
fn the_reply_timer_starts_when_the_wire_has_drained() {
    let mut link = link(Settings::default());
    link.offer(b"a".to_vec()).unwrap();
    assert!(link.transmit(Tick::ZERO).is_some());
    assert_eq!(link.deadline(), None);
    link.sent(Tick::from_micros(5_000_000));
    let deadline = link.deadline().unwrap();
    assert_eq!((deadline.at, deadline.why), (Tick::from_micros(20_000_000), Why::EnqReply));
    assert_eq!(link.handle_deadline(Tick::from_micros(19_999_999)), None);
    assert_eq!(
        link.handle_deadline(Tick::from_micros(20_000_000)),
        Some(Event::Failed(Failure::NoReplyToEnq))
    );
}

#[test]
fn messages_that_cannot_be_sent() {
    let because = |settings, room, message: &[u8]| {
        let mut link: Bench = Link::new(settings, vec![0; room]);
        link.offer(message.to_vec()).map_err(|refused| refused.because)
    };
    let usual = Settings::default();
    assert_eq!(because(usual, 8, b"a\nb\r"), Ok(()));
    assert_eq!(because(usual, 7, b"a"), Err(RefusedBecause::NoRoom));
    assert_eq!(because(usual, 8, b""), Err(RefusedBecause::Empty));
    assert_eq!(because(usual, 8, b"ab\x03"), Err(RefusedBecause::Unframeable(2)));
    let never = Settings { replies: Replies::Never, ..usual };
    assert_eq!(because(never, 8, b"a"), Err(RefusedBecause::NoReplies));
    let mut link = link(usual);
    link.offer(b"a".to_vec()).unwrap();
    assert_eq!(link.offer(b"b".to_vec()).unwrap_err().because, RefusedBecause::Occupied);
    assert_eq!(link.withdraw().unwrap(), b"a");
    assert!(link.offer(b"b".to_vec()).is_ok());
}

#[test]
fn withdrawing_ends_the_transfer() {
    check(
        Settings::default(),
        r"offer L|1<CR>
          > <ACK>
          withdraw
          > <ENQ>
          offer M|1<CR>
          withdraw
          withdraw",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            withdraw
              L|1<CR>
              < <EOT>
            > <ENQ>
              ! established
              < <ACK>
            offer M|1<CR>
            withdraw
              M|1<CR>
            withdraw
              nothing
        "#]],
    );
}

#[test]
fn a_connection_that_ends() {
    check(
        Settings::default(),
        r"offer L|1<CR>
          > <ACK>
          disconnect
          withdraw
          > <ENQ>
          offer M|1<CR>
          disconnect",
        &expect![[r#"
            offer L|1<CR>
              < <ENQ>
            > <ACK>
              < <STX>1L|1<CR><ETX>3A<CR><LF>
            disconnect
              ! failed: disconnected
            withdraw
              L|1<CR>
            > <ENQ>
              ! established
              < <ACK>
            offer M|1<CR>
            disconnect
              ! ended: incomplete, disconnected
              < <ENQ>
        "#]],
    );
}

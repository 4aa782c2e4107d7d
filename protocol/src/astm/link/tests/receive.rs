//! The receiving side of LIS01-A2, row by row.

use super::*;
use expect_test::expect;

#[test]
fn a_transfer() {
    check(
        Settings::default(),
        r"> <ENQ>
          > {1:H|\^&<CR>:ETX}
          accept
          > {2:L|1<CR>:ETX}
          accept
          > <EOT>",
        &expect![[r#"
            > <ENQ>
              ! established
              < <ACK>
            > {1:H|\^&<CR>:ETX}
              ! frame 1 of 13 bytes, ETX
            accept
              < <ACK>
            > {2:L|1<CR>:ETX}
              ! frame 2 of 11 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
        "#]],
    );
}

#[test]
fn nothing_is_acknowledged_before_it_is_accepted() {
    check(
        Settings::default(),
        r"> <ENQ>{1:H|\^&<CR>:ETX}<EOT>
          +13999
          accept",
        &expect![[r#"
            > <ENQ>{1:H|\^&<CR>:ETX}<EOT>
              ! established
              < <ACK>
              ! frame 1 of 13 bytes, ETX
              . 1 bytes not taken
            +13999
              . 1 bytes not taken
            accept
              < <ACK>
              ! ended: complete
        "#]],
    );
}

#[test]
fn an_acceptance_after_the_peers_wait_sends_nothing() {
    check(
        Settings::default(),
        r"> <ENQ>
          > {1:H|\^&<CR>:ETX}
          +14000
          late
          > {1:H|\^&<CR>:ETX}
          > {2:L|1<CR>:ETX}
          +14000
          > <EOT><ENQ>
          late",
        &expect![[r#"
            > <ENQ>
              ! established
              < <ACK>
            > {1:H|\^&<CR>:ETX}
              ! frame 1 of 13 bytes, ETX
            +14000
              @14000 14 s for frame 1 to be stored
              ! trouble at 1: frame 1 was stored too late for a reply
            late
            > {1:H|\^&<CR>:ETX}
              ! frame 1 repeated
              < <ACK>
            > {2:L|1<CR>:ETX}
              ! frame 2 of 11 bytes, ETX
            +14000
              @28000 14 s for frame 2 to be stored
              ! trouble at 27: frame 2 was stored too late for a reply
            > <EOT><ENQ>
              ! ended: incomplete, EOT after a frame that was not acknowledged
              ! established
              < <ACK>
            late
        "#]],
    );
}

#[test]
fn an_acceptance_after_a_new_connection_sends_nothing() {
    check(
        Settings::default(),
        r"> <ENQ>{1:H|\^&<CR>:ETX}
          disconnect
          late
          > <ENQ>
          late",
        &expect![[r#"
            > <ENQ>{1:H|\^&<CR>:ETX}
              ! established
              < <ACK>
              ! frame 1 of 13 bytes, ETX
            disconnect
              ! ended: incomplete, disconnected
            late
            > <ENQ>
              ! established
              < <ACK>
            late
        "#]],
    );
}

#[test]
fn an_acceptance_is_for_its_own_frame() {
    let mut run = Run::new(Settings::default());
    run.step("> <ENQ>{1:A<CR>:ETX}");
    let first = run.held.unwrap();
    run.step("+14000");
    run.step("> <EOT><ENQ>{1:B<CR>:ETX}");
    assert_ne!(run.held, Some(first));
    assert!(!run.link.accept(run.now, first));
    assert!(!run.link.refuse(run.now, first));
    assert_eq!(run.link.transmit(run.now), None);
    assert_eq!(run.link.held().unwrap().text, b"B\r");
}

#[test]
fn an_enq_while_a_frame_is_held_gets_one_ack_after_the_store() {
    check(
        Settings::default(),
        r"> <ENQ>{1:H|\^&<CR>:ETX}
          > <ENQ>
          late",
        &expect![[r#"
            > <ENQ>{1:H|\^&<CR>:ETX}
              ! established
              < <ACK>
              ! frame 1 of 13 bytes, ETX
            > <ENQ>
              . 1 bytes not taken
            late
              ! ended: incomplete, a new ENQ
              < <ACK>
              ! established
        "#]],
    );
    check(
        Settings::default(),
        r"> <ENQ>{1:H|\^&<CR>:ETX}
          > <ENQ>
          busy
          late-refuse",
        &expect![[r#"
            > <ENQ>{1:H|\^&<CR>:ETX}
              ! established
              < <ACK>
              ! frame 1 of 13 bytes, ETX
            > <ENQ>
              . 1 bytes not taken
            busy
              . 1 bytes not taken
            late-refuse
              ! ended: incomplete, a new ENQ
              < <NAK>
              ! peer turned away: busy
        "#]],
    );
}

#[test]
fn a_refused_frame_comes_again() {
    check(
        Settings::default(),
        r"> <ENQ>{1:H|\^&<CR>:ETX}
          refuse
          > {1:H|\^&<CR>:ETX}
          accept
          > <EOT>",
        &expect![[r#"
            > <ENQ>{1:H|\^&<CR>:ETX}
              ! established
              < <ACK>
              ! frame 1 of 13 bytes, ETX
            refuse
              < <NAK>
            > {1:H|\^&<CR>:ETX}
              ! frame 1 of 13 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
        "#]],
    );
}

#[test]
fn a_refused_frame_makes_the_transfer_incomplete() {
    check(
        Settings::default(),
        r"> <ENQ>{1:H|\^&<CR>:ETX}
          accept
          > <STX>2L|1<CR><ETX>00<CR><LF>
          > <EOT>",
        &expect![[r#"
            > <ENQ>{1:H|\^&<CR>:ETX}
              ! established
              < <ACK>
              ! frame 1 of 13 bytes, ETX
            accept
              < <ACK>
            > <STX>2L|1<CR><ETX>00<CR><LF>
              ! trouble at 14: checksum 00, the bytes add up to 3B
              < <NAK>
              ! frame of 11 bytes rejected
            > <EOT>
              ! ended: incomplete, EOT after a frame that was not acknowledged
        "#]],
    );
}

#[test]
fn checksums_in_either_case_and_wrong() {
    check(
        Settings::default(),
        r"> <ENQ><STX>1ab<ETX>f7<CR><LF>
          accept
          > <STX>2ab<ETX>F9<CR><LF>
          > <STX>2ab<ETX>F8<CR><LF>
          accept",
        &expect![[r#"
            > <ENQ><STX>1ab<ETX>f7<CR><LF>
              ! established
              < <ACK>
              ! frame 1 of 9 bytes, ETX
            accept
              < <ACK>
            > <STX>2ab<ETX>F9<CR><LF>
              ! trouble at 10: checksum F9, the bytes add up to F8
              < <NAK>
              ! frame of 9 bytes rejected
            > <STX>2ab<ETX>F8<CR><LF>
              ! frame 2 of 9 bytes, ETX
            accept
              < <ACK>
        "#]],
    );
}

#[test]
fn other_checksum_settings() {
    check(
        Settings { checksum: Checksum::Unchecked, ..Settings::default() },
        r"> <ENQ><STX>1ab<ETX>??<CR><LF>
          accept
          > <STX>2ab<ETX><CR><LF>
          +200",
        &expect![[r#"
            > <ENQ><STX>1ab<ETX>??<CR><LF>
              ! established
              < <ACK>
              ! frame 1 of 9 bytes, ETX
            accept
              < <ACK>
            > <STX>2ab<ETX><CR><LF>
              ! trouble at 15: CR in place of a checksum
            +200
              @200 200 ms for the end of stray bytes
              ! frame of 5 bytes rejected
              < <NAK>
        "#]],
    );
    check(
        Settings { checksum: Checksum::Absent, ..Settings::default() },
        r"> <ENQ><STX>1ab<ETB><CR><LF>
          accept
          > <STX>2ab<ETX>
          +200
          accept
          > <EOT>",
        &expect![[r#"
            > <ENQ><STX>1ab<ETB><CR><LF>
              ! established
              < <ACK>
              ! frame 1 of 7 bytes, ETB
            accept
              < <ACK>
            > <STX>2ab<ETX>
            +200
              @200 200 ms for the frame's CR LF
              ! frame 2 of 5 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
        "#]],
    );
}

#[test]
fn tails_that_lack_cr_or_lf() {
    check(
        Settings::default(),
        r"> <ENQ><STX>1ab<ETB>0B<LF>
          accept
          > <STX>2ab<ETB>0C<CR>
          ?
          +200
          accept
          > <STX>3ab<ETB>0D
          +200
          accept
          > <LF>
          > <STX>4ab<ETB>0E<STX>5ab<ETB>0F<CR><STX>6ab<ETX>FC<EOT>
          accept
          accept
          accept",
        &expect![[r#"
            > <ENQ><STX>1ab<ETB>0B<LF>
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETB
            accept
              < <ACK>
            > <STX>2ab<ETB>0C<CR>
            ?
              at 200: 200 ms for the frame's CR LF
            +200
              @200 200 ms for the frame's CR LF
              ! frame 2 of 8 bytes, ETB
            accept
              < <ACK>
            > <STX>3ab<ETB>0D
            +200
              @400 200 ms for the frame's CR LF
              ! frame 3 of 7 bytes, ETB
            accept
              < <ACK>
            > <LF>
            > <STX>4ab<ETB>0E<STX>5ab<ETB>0F<CR><STX>6ab<ETX>FC<EOT>
              ! frame 4 of 7 bytes, ETB
              . 16 bytes not taken
            accept
              < <ACK>
              ! frame 5 of 8 bytes, ETB
              . 8 bytes not taken
            accept
              < <ACK>
              ! frame 6 of 7 bytes, ETX
              . 1 bytes not taken
            accept
              < <ACK>
              ! ended: complete
        "#]],
    );
}

#[test]
fn frame_numbers_strict() {
    check(
        Settings::default(),
        r"> <ENQ>{0:a<CR>:ETX}
          accept
          > {1:b<CR>:ETX}
          accept
          > {1:b<CR>:ETX}
          > {1:c<CR>:ETX}
          > {3:d<CR>:ETX}
          > {2:c<CR>:ETX}
          accept
          > <EOT>
          > <ENQ>{2:x<CR>:ETX}
          > <EOT>",
        &expect![[r#"
            > <ENQ>{0:a<CR>:ETX}
              ! established
              < <ACK>
              ! trouble at 1: frame number 0 in place of 1
              ! frame 0 of 9 bytes, ETX
            accept
              < <ACK>
            > {1:b<CR>:ETX}
              ! frame 1 of 9 bytes, ETX
            accept
              < <ACK>
            > {1:b<CR>:ETX}
              ! frame 1 repeated
              < <ACK>
            > {1:c<CR>:ETX}
              ! trouble at 28: frame number 1 again, with other text
              < <NAK>
              ! frame of 9 bytes rejected
            > {3:d<CR>:ETX}
              ! trouble at 37: frame number 3 in place of 2
              < <NAK>
              ! frame of 9 bytes rejected
            > {2:c<CR>:ETX}
              ! frame 2 of 9 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
            > <ENQ>{2:x<CR>:ETX}
              ! established
              < <ACK>
              ! trouble at 57: frame number 2 in place of 1
              < <NAK>
              ! frame of 9 bytes rejected
            > <EOT>
              ! ended: incomplete, EOT after a frame that was not acknowledged
        "#]],
    );
}

#[test]
fn frame_numbers_go_round() {
    let mut script = String::from("> <ENQ>\n");
    for n in 1..=9 {
        script.push_str(&format!("> {{{}:{n}<CR>:ETX}}\naccept\n", n % 8));
    }
    script.push_str("> <EOT>");
    let mut run = Run::new(Settings::default());
    script.lines().for_each(|line| run.step(line));
    assert_eq!(run.log.matches("< <ACK>").count(), 10, "{}", run.log);
    assert!(!run.log.contains("trouble"), "{}", run.log);
    assert!(run.log.ends_with("  ! ended: complete\n"), "{}", run.log);
}

#[test]
fn frame_numbers_any() {
    check(
        Settings { frame_numbers: FrameNumbers::Any, ..Settings::default() },
        r"> <ENQ>{3:a<CR>:ETX}
          accept
          > {3:b<CR>:ETX}
          accept
          > {3:b<CR>:ETX}
          > {8:c<CR>:ETX}
          accept
          > {1:d<CR>:ETX}
          accept
          > <EOT>",
        &expect![[r#"
            > <ENQ>{3:a<CR>:ETX}
              ! established
              < <ACK>
              ! trouble at 1: frame number 3 in place of 1
              ! frame 3 of 9 bytes, ETX
            accept
              < <ACK>
            > {3:b<CR>:ETX}
              ! trouble at 10: frame number 3 again, with other text
              ! frame 3 of 9 bytes, ETX
            accept
              < <ACK>
            > {3:b<CR>:ETX}
              ! frame 3 repeated
              < <ACK>
            > {8:c<CR>:ETX}
              ! trouble at 28: frame number 8 in place of 4
              ! frame 8 of 9 bytes, ETX
            accept
              < <ACK>
            > {1:d<CR>:ETX}
              ! frame 1 of 9 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
        "#]],
    );
}

#[test]
fn ends_of_a_transfer() {
    check(
        Settings::default(),
        r"> <ENQ><EOT>
          > <ENQ>{1:a:ETB}
          accept
          > <EOT>
          > <ENQ>{1:a:ETX}
          accept
          ?
          +30000
          > <ENQ>{1:a:ETX}
          accept
          > <ENQ>
          > {1:a:ETX}
          accept
          disconnect
          > <ENQ><STX>1abc<EOT>
          +200",
        &expect![[r#"
            > <ENQ><EOT>
              ! established
              < <ACK>
              ! ended: empty
            > <ENQ>{1:a:ETB}
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETB
            accept
              < <ACK>
            > <EOT>
              ! ended: incomplete, EOT after ETB
            > <ENQ>{1:a:ETX}
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            ?
              at 30000: 30 s for the next frame or EOT
            +30000
              @30000 30 s for the next frame or EOT
              ! ended: incomplete, silence
            > <ENQ>{1:a:ETX}
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            > <ENQ>
              ! ended: incomplete, a new ENQ
              < <ACK>
              ! established
            > {1:a:ETX}
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            disconnect
              ! ended: incomplete, disconnected
            > <ENQ><STX>1abc<EOT>
              ! established
              < <ACK>
              ! trouble at 6: EOT inside a frame
            +200
              @30200 200 ms for the end of stray bytes
              ! ended: incomplete, EOT after a frame that was not acknowledged
        "#]],
    );
    check(
        Settings { terminator: Terminator::Any, ..Settings::default() },
        r"> <ENQ>{1:a:ETB}
          accept
          > <EOT>",
        &expect![[r#"
            > <ENQ>{1:a:ETB}
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETB
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
        "#]],
    );
}

#[test]
fn the_receive_timer_starts_again_with_every_byte() {
    let mut run = Run::new(Settings::default());
    run.step("> <ENQ>");
    run.step("> <STX>1");
    for _ in 0..100 {
        run.step("+29999");
        run.step("> x");
    }
    assert!(!run.log.contains("ended"), "{}", run.log);
    run.step("+30000");
    assert!(run.log.ends_with("  ! ended: incomplete, silence\n"), "{}", run.log);
}

#[test]
fn busy() {
    check(
        Settings::default(),
        r"busy
          > <ENQ>
          free
          > <ENQ>
          busy
          > {1:a:ETX}
          accept
          > <ENQ>",
        &expect![[r#"
            busy
            > <ENQ>
              ! peer turned away: busy
              < <NAK>
            free
            > <ENQ>
              ! established
              < <ACK>
            busy
            > {1:a:ETX}
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            > <ENQ>
              ! ended: incomplete, a new ENQ
              < <NAK>
              ! peer turned away: busy
        "#]],
    );
}

#[test]
fn transfers_without_enq() {
    check(
        Settings { establishment: Establishment::Optional, ..Settings::default() },
        r"> {1:a<CR>:ETX}
          accept
          > {1:b<CR>:ETX}
          accept
          +30000
          > {1:b<CR>:ETX}
          accept
          > {2:b<CR>:ETB}
          accept
          +30000",
        &expect![[r#"
            > {1:a<CR>:ETX}
              ! established by a frame without ENQ
              ! frame 1 of 9 bytes, ETX
            accept
              < <ACK>
            > {1:b<CR>:ETX}
              ! frame 1 of 9 bytes, ETX
            accept
              < <ACK>
            +30000
              @30000 30 s for the next frame or EOT
              ! ended: complete
            > {1:b<CR>:ETX}
              ! established by a frame without ENQ
              ! frame 1 of 9 bytes, ETX
            accept
              < <ACK>
            > {2:b<CR>:ETB}
              ! frame 2 of 9 bytes, ETB
            accept
              < <ACK>
            +30000
              @60000 30 s for the next frame or EOT
              ! ended: incomplete, silence
        "#]],
    );
    check(
        Settings::default(),
        "> {1:a<CR>:ETX}\n+200",
        &expect![[r#"
        > {1:a<CR>:ETX}
        +200
          @200 200 ms for the end of stray bytes
          ! trouble at 0: 9 stray bytes, first STX
    "#]],
    );
}

#[test]
fn a_frame_without_enq_wins_over_our_enq() {
    check(
        Settings { establishment: Establishment::Optional, ..Settings::default() },
        r"offer Q|1<CR>
          > {1:a<CR>:ETX}
          accept
          > <EOT>",
        &expect![[r#"
            offer Q|1<CR>
              < <ENQ>
            > {1:a<CR>:ETX}
              ! established by a frame without ENQ
              ! frame 1 of 9 bytes, ETX
            accept
              < <ACK>
            > <EOT>
              ! ended: complete
              < <ENQ>
        "#]],
    );
}

#[test]
fn replies_that_are_not_wanted() {
    check(
        Settings { replies: Replies::Never, ..Settings::default() },
        r"> <ENQ>{1:a:ETB}
          +60000
          accept
          > <STX>2b<ETB>00<CR><LF>{2:b:ETX}
          accept
          > <EOT>",
        &expect![[r#"
            > <ENQ>{1:a:ETB}
              ! established
              ! frame 1 of 8 bytes, ETB
            +60000
            accept
            > <STX>2b<ETB>00<CR><LF>{2:b:ETX}
              ! trouble at 9: checksum 00, the bytes add up to AB
              ! frame of 8 bytes rejected
              ! frame 2 of 8 bytes, ETX
            accept
            > <EOT>
              ! ended: incomplete, EOT after a frame that was not acknowledged
        "#]],
    );
    check(
        Settings { replies: Replies::LastFrame, ..Settings::default() },
        r"> <ENQ>{1:a:ETB}{2:b:ETX}<EOT>
          accept
          accept",
        &expect![[r#"
            > <ENQ>{1:a:ETB}{2:b:ETX}<EOT>
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETB
              . 9 bytes not taken
            accept
              ! frame 2 of 8 bytes, ETX
              . 1 bytes not taken
            accept
              < <ACK>
              ! ended: complete
        "#]],
    );
}

#[test]
fn a_reply_can_be_delayed() {
    check(
        Settings { reply_delay: Duration::from_millis(500), ..Settings::default() },
        r"> <ENQ>
          ?
          +500
          > {1:a:ETX}
          +200
          accept
          +300
          > {2:b:ETX}
          +600
          accept",
        &expect![[r#"
            > <ENQ>
              ! established
            ?
              at 500: 500 ms for the reply's delay
            +500
              @500 500 ms for the reply's delay
              < <ACK>
            > {1:a:ETX}
              ! frame 1 of 8 bytes, ETX
            +200
            accept
            +300
              @1000 500 ms for the reply's delay
              < <ACK>
            > {2:b:ETX}
              ! frame 2 of 8 bytes, ETX
            +600
            accept
              < <ACK>
        "#]],
    );
}

#[test]
fn line_noise() {
    check(
        Settings::default(),
        r"> <FF><FF>x
          +200
          > <ACK>
          +200
          > <EOT>
          > <NUL><CR><LF>
          > <FF><ENQ>
          +200
          > garbage{1:a:ETX}
          accept
          > garbage
          > <EOT>
          +200",
        &expect![[r#"
            > <FF><FF>x
            +200
              @200 200 ms for the end of stray bytes
              ! trouble at 0: 3 stray bytes, first FF
            > <ACK>
            +200
              @400 200 ms for the end of stray bytes
              ! trouble at 3: unexpected ACK
            > <EOT>
              ! trouble at 4: unexpected EOT
            > <NUL><CR><LF>
            > <FF><ENQ>
            +200
              @600 200 ms for the end of stray bytes
              ! trouble at 8: stray byte FF
              < <ACK>
              ! established
            > garbage{1:a:ETX}
              ! trouble at 10: 7 stray bytes, first 67
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            > garbage
            > <EOT>
            +200
              @800 200 ms for the end of stray bytes
              ! trouble at 25: 7 stray bytes, first 67
              ! ended: complete
        "#]],
    );
}

/// One flipped bit each: E to ENQ, D to EOT, B to STX, C to ETX, STX to NUL. None may be acknowledged or answered
/// before the frame is over, and the frame must be taken when it comes again.
#[test]
fn control_characters_made_by_line_noise() {
    for flipped in ["<ENQ>", "<EOT>", "<STX>", "<ETX>", "<ETB>"] {
        let mut run = Run::new(Settings::default());
        run.step("> <ENQ>");
        run.log.clear();
        run.step(&format!("> <STX>1H|ABC{flipped}F|DE"));
        assert!(!run.log.contains("<ACK>") && !run.log.contains("<NAK>"), "{flipped} {}", run.log);
        run.step("> F<CR><ETX>00<CR><LF>");
        run.step("+200");
        assert!(run.log.ends_with("  < <NAK>\n"), "{flipped} {}", run.log);
        assert_eq!(run.log.matches("  < ").count(), 1, "{flipped} {}", run.log);
        run.step("> {1:H|ABCDEF|DEF<CR>:ETX}");
        run.step("accept");
        run.step("> <EOT>");
        assert!(run.log.ends_with("  < <ACK>\n> <EOT>\n  ! ended: complete\n"), "{flipped} {}", run.log);
    }
    check(
        Settings::default(),
        r"> <ENQ><NUL>1H|<CR><ETX>00<CR><LF>
          +200",
        &expect![[r#"
            > <ENQ><NUL>1H|<CR><ETX>00<CR><LF>
              ! established
              < <ACK>
              ! trouble at 6: a frame's end without its STX
            +200
              @200 200 ms for the end of stray bytes
              ! trouble at 2: 8 stray bytes, first 31
              < <NAK>
        "#]],
    );
}

#[test]
fn an_enq_inside_a_frame_is_believed_after_silence() {
    check(
        Settings::default(),
        r"> <ENQ><STX>1abc<ENQ>
          ?
          +200
          > {1:a:ETX}
          accept
          > <STX>2abc<ENQ>{1:a:ETX}",
        &expect![[r#"
            > <ENQ><STX>1abc<ENQ>
              ! established
              < <ACK>
              ! trouble at 6: ENQ inside a frame
            ?
              at 200: 200 ms for the end of stray bytes
            +200
              @200 200 ms for the end of stray bytes
              ! ended: incomplete, a new ENQ
              < <ACK>
              ! established
            > {1:a:ETX}
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            > <STX>2abc<ENQ>{1:a:ETX}
              ! trouble at 20: ENQ inside a frame
              ! ended: incomplete, a new ENQ
              < <ACK>
              ! established
              ! frame 1 of 8 bytes, ETX
        "#]],
    );
}

#[test]
fn characters_that_do_not_belong_into_text_are_taken_and_noted() {
    check(
        Settings::default(),
        "> <ENQ><STX>1a<LF>b<DC1>c<HT><ETX>7E<CR><LF>",
        &expect![[r#"
            > <ENQ><STX>1a<LF>b<DC1>c<HT><ETX>7E<CR><LF>
              ! established
              < <ACK>
              ! trouble at 4: 2 restricted characters in the text, first LF
              ! frame 1 of 13 bytes, ETX
        "#]],
    );
}

#[test]
fn frames_that_are_no_frames() {
    check(
        Settings::default(),
        r"> <ENQ><STX>xabc<ETX>00<CR><LF>
          +200
          > <STX>1abc<ETX>G0<CR><LF>
          +200
          > <STX>1abc<ETX>5Axx<CR><LF>
          +200
          > <STX>1abc<STX>1abc<ETX>5A<CR><LF>
          accept",
        &expect![[r#"
            > <ENQ><STX>xabc<ETX>00<CR><LF>
              ! established
              < <ACK>
              ! trouble at 2: 78 in place of a frame number
            +200
              @200 200 ms for the end of stray bytes
              ! trouble at 3: 8 stray bytes, first 61
              < <NAK>
              ! frame of 1 bytes rejected
            > <STX>1abc<ETX>G0<CR><LF>
              ! trouble at 17: 47 in place of a checksum
            +200
              @400 200 ms for the end of stray bytes
              ! trouble at 18: 3 stray bytes, first 30
              < <NAK>
              ! frame of 6 bytes rejected
            > <STX>1abc<ETX>5Axx<CR><LF>
              ! trouble at 29: 78 in place of CR LF
            +200
              @600 200 ms for the end of stray bytes
              ! trouble at 30: 3 stray bytes, first 78
              < <NAK>
              ! frame of 8 bytes rejected
            > <STX>1abc<STX>1abc<ETX>5A<CR><LF>
              ! trouble at 38: STX inside a frame
              ! frame 1 of 10 bytes, ETX
            accept
              < <ACK>
        "#]],
    );
}

#[test]
fn a_frame_fits_or_is_refused() {
    let text = "x".repeat(1017);
    let mut run = Run::new(Settings::default());
    run.step("> <ENQ>");
    run.step(&format!("> {{1:{text}:ETX}}"));
    assert_eq!(run.link.held().unwrap().raw.len(), 1024);
    run.step("accept");
    run.log.clear();
    // The tail may be cut off for want of room; the checksum may not.
    run.step(&format!("> {{2:{text}xx:ETX}}"));
    assert_eq!(run.link.held().unwrap().raw.len(), 1024);
    run.step("accept");
    run.log.clear();
    run.step(&format!("> {{3:{text}xxx:ETX}}"));
    run.step("+200");
    expect![[r#"
          ! trouble at 2051: no frame end within 1024 bytes
        +200
          @200 200 ms for the end of stray bytes
          ! trouble at 3075: 3 stray bytes, first 36
          < <NAK>
          ! frame of 1024 bytes rejected
    "#]]
    .assert_eq(run.log.split_once('\n').unwrap().1);
}

#[test]
fn the_standards_longest_frame() {
    let text = vec![b'x'; 64_000];
    let mut raw = vec![0; 64_007];
    assert_eq!(encode_frame(1, &text, FrameEnd::Etx, &mut raw), Some(64_007));
    let mut link: Link<Vec<u8>> = Link::new(Settings::default(), vec![0; 64_007]);
    assert_eq!(link.receive(Tick::ZERO, &[ENQ]).1, Some(Event::Established(Opening::Enq)));
    assert!(link.transmit(Tick::ZERO).is_some());
    let (taken, event) = link.receive(Tick::ZERO, &raw);
    assert_eq!(taken, 64_007);
    let Some(Event::Frame(frame)) = event else { panic!("{event:?}") };
    assert_eq!((frame.raw, frame.text), (&raw[..], &text[..]));
    assert_eq!(parse_raw_frame(frame.raw).unwrap().text, 2..64_002);
}

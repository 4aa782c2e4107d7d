//! Frames that are not as they should be, and lines that add characters of their own.

use super::*;
use expect_test::expect;

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
        assert!(run.log.ends_with(" rejected\n"), "{flipped} {}", run.log);
        assert!(run.log.contains("  < <NAK>\n"), "{flipped} {}", run.log);
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
              ! frame of 0 bytes rejected
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

/// The peer's EOT, damaged into ENQ, and its next ENQ: two ACKs would make it take one for its first frame's.
#[test]
fn an_eot_that_became_enq_gets_no_answer_of_its_own() {
    check(
        Settings::default(),
        r"> <ENQ>{1:a:ETX}
          accept
          > <ENQ>
          > <ENQ>
          +200
          > {1:a:ETX}",
        &expect![[r#"
            > <ENQ>{1:a:ETX}
              ! established
              < <ACK>
              ! frame 1 of 8 bytes, ETX
            accept
              < <ACK>
            > <ENQ>
            > <ENQ>
            +200
              @200 200 ms for the end of stray bytes
              ! ended: incomplete, a new ENQ
              < <ACK>
              ! established
            > {1:a:ETX}
              ! frame 1 of 8 bytes, ETX
        "#]],
    );
    check(
        Settings::default(),
        r"> <ENQ>
          > <ENQ>
          > {1:a:ETX}",
        &expect![[r#"
            > <ENQ>
              ! established
              < <ACK>
            > <ENQ>
            > {1:a:ETX}
              ! ended: incomplete, a new ENQ
              ! established
              ! frame 1 of 8 bytes, ETX
        "#]],
    );
}

/// An E of the checksum, or the CR behind it, damaged into ENQ. An ACK for that would be taken as the frame's, which
/// is not stored. Without the line end it is what it looks like: the peer begins anew.
#[test]
fn an_enq_before_a_line_end_is_the_damaged_end_of_a_frame() {
    check(
        Settings::default(),
        r"> <ENQ><STX>1ai<ETX>F<ENQ><CR><LF>
          +200
          > <STX>1ai<ETX>FE<ENQ><LF>
          +200
          > <STX>1ai<ETX>FE<CR><LF>
          accept
          > <STX>2ab<ETX>F8<ENQ>
          +200
          late
          +200",
        &expect![[r#"
            > <ENQ><STX>1ai<ETX>F<ENQ><CR><LF>
              ! established
              < <ACK>
              ! trouble at 7: ENQ inside a frame
            +200
              @200 200 ms for the end of stray bytes
              ! frame of 6 bytes rejected
              < <NAK>
            > <STX>1ai<ETX>FE<ENQ><LF>
              ! trouble at 17: ENQ in place of CR LF
            +200
              @400 200 ms for the end of stray bytes
              ! frame of 7 bytes rejected
              < <NAK>
            > <STX>1ai<ETX>FE<CR><LF>
              ! frame 1 of 9 bytes, ETX
            accept
              < <ACK>
            > <STX>2ab<ETX>F8<ENQ>
            +200
              @600 200 ms for the frame's CR LF
              ! frame 2 of 7 bytes, ETX
            late
            +200
              @800 200 ms for the end of stray bytes
              ! ended: incomplete, a new ENQ
              < <ACK>
              ! established
        "#]],
    );
}

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
          late
          +200",
        &expect![[r#"
            > <ENQ>{1:H|\^&<CR>:ETX}
              ! established
              < <ACK>
              ! frame 1 of 13 bytes, ETX
            > <ENQ>
              . 1 bytes not taken
            late
            +200
              @200 200 ms for the end of stray bytes
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
          late-refuse
          +200",
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
            +200
              @200 200 ms for the end of stray bytes
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
          +200
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
            +200
              @30200 200 ms for the end of stray bytes
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
              @30400 200 ms for the end of stray bytes
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
          > <ENQ>
          +200",
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
            +200
              @200 200 ms for the end of stray bytes
              ! ended: incomplete, a new ENQ
              < <NAK>
              ! peer turned away: busy
        "#]],
    );
}

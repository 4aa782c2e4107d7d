//! The settings for peers that do not keep to the standard.

use super::*;
use expect_test::expect;

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

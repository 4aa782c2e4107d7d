//! What comes of each fault while the instrument sends, cell by cell. The letters are those of
//! [`OUTCOMES`](crate::cells::OUTCOMES), then of [`NOTES`](crate::cells::NOTES).

pub(super) const BYTES_RECORDS: &str = "
 lowest bit flipped: wu  | rsy rc  rc  wek rc  rt  .y  | rsy rc  rc  iek rc  rt  .y  | rsy rc  rc  iek rc  rt  .y  | .
highest bit flipped: wuy | rsy rny rc  wek rhy rt  .y  | rsy rny rc  iek rhy rt  .y  | rsy rny rc  iek rhy rt  .y  | .y
          byte lost: wu  | rsy rny rc  wek rh  .   .   | rsy rny rc  iek rh  .   .   | rsy rny rc  iek rh  .   .   | .
       byte doubled: .   | .k  rc  rc  rhy rt  .   .   | .k  rc  rc  rhy rt  .   .   | .k  rc  rc  rhy rt  .   .   | .u
       FF before it: .y  | .y  rny rc  rc  rhy rt  .y  | .y  rny rc  rc  rhy rt  .y  | .y  rny rc  rc  rhy rt  .y  | .y
      NUL before it: .   | .   rny h   h   rhy rt  .   | .   rny h   h   rhy rt  .   | .   rny .   .   rhy rt  .   | .
      ACK before it: .u  | .u  rny rcr rcr rhy rt  .y  | .u  rny rcr rcr rhy rt  .y  | .u  rny rcr rcr rhy rt  .y  | .u
      ENQ before it: .   | .   rky rky rky rky Ibo Ibo | sbo rky rky rky rky sbo sbo | sb  rky rky rky rky .   .   | .
      EOT before it: .u  | wuy rky rky rky rky Cuy Cuy | cuy rky rky rky rky Cuy Cuy | duy rky rky rky rky .u  .u  | .u
";

pub(super) const BYTES_SPLIT: &str = "
 lowest bit flipped: wu  | rsy  rc   rc   wek  rc   rt   .y   | rsy  rc   rc   iek  rc   rt   .y   | rsy  rc   rc   iek  rc   rt   .y   | .
highest bit flipped: wuy | rsy  rny  rc   wek  rhy  rt   .y   | rsy  rny  rc   iek  rhy  rt   .y   | rsy  rny  rc   iek  rhy  rt   .y   | .y
          byte lost: wu  | rsy  rny  rc   wek  rh   .    .    | rsy  rny  rc   iek  rh   .    .    | rsy  rny  rc   iek  rh   .    .    | .
       byte doubled: .   | .k   rc   rc   rhy  rt   .    .    | .k   rc   rc   rhy  rt   .    .    | .k   rc   rc   rhy  rt   .    .    | .u
       FF before it: .y  | .y   rny  rc   rc   rhy  rt   .y   | .y   rny  rc   rc   rhy  rt   .y   | .y   rny  rc   rc   rhy  rt   .y   | .y
      NUL before it: .   | .    rny  h    h    rhy  rt   .    | .    rny  h    h    rhy  rt   .    | .    rny  h    .    rhy  rt   .    | .
      ACK before it: .u  | .u   rny  rcr  rcr  rhy  rt   .y   | .u   rny  rcr  rcr  rhy  rt   .y   | .u   rny  rcr  rcr  rhy  rt   .y   | .u
      ENQ before it: .   | .    rky  rky  rky  rky  sbo  sbo  | sbo  rky  rky  rky  rky  sbo  sbo  | sbo  rky  rky  rky  rky  .    .    | .
      EOT before it: .u  | wuy  rky  rky  rky  rky  Iuvy Iuvy | iuvy rky  rky  rky  rky  Iuvy Iuvy | iuvy rky  rky  rky  rky  .u   .u   | .u
";

pub(super) const BYTES_WHOLE: &str = "
 lowest bit flipped: wu  | rsy  rc   rc   rkny rhy  rt   .y   | .
highest bit flipped: wuy | rsy  rny  rc   wek  rhy  rt   .y   | .y
          byte lost: wu  | rsy  rny  rc   wek  rh   .    .    | .
       byte doubled: .   | .k   rc   rc   rhy  rt   .    .    | .u
       FF before it: .y  | .y   rny  rc   rc   rhy  rt   .y   | .y
      NUL before it: .   | .    rny  .    .    rhy  rt   .    | .
      ACK before it: .u  | .u   rny  rcr  rcr  rhy  rt   .y   | .u
      ENQ before it: .   | .    rky  rky  rky  rky  .    .    | .
      EOT before it: .u  | wuy  rky  rky  rky  rky  .u   .u   | .u
";

pub(super) const UNITS_ANY_RECORDS: &str = "
                      lost: w   | c   | d
        sent twice at once: ap  | ap  | ap
               next number: .mo | .mo | .o
             number before: .o  | .mo | .m
                  number 9: .o  | .o  | .o
            checksum wrong: rc  | rc  | rc
                CR LF lost: .   | .   | .
without its STX and number: rsy | rsy | rsy
";

pub(super) const UNITS_ANY_SPLIT: &str = "
                      lost: w   | iv  | iv
        sent twice at once: ap  | ap  | ap
               next number: .mo | .mo | .mo
             number before: .o  | .mo | .mo
                  number 9: .o  | .o  | .o
            checksum wrong: rc  | rc  | rc
                CR LF lost: .   | .   | .
without its STX and number: rsy | rsy | rsy
";

pub(super) const UNITS_ANY_WHOLE: &str = "
                      lost: w
        sent twice at once: ap
               next number: .o
             number before: .o
                  number 9: .o
            checksum wrong: rc
                CR LF lost: .
without its STX and number: rsy
";

pub(super) const UNITS_STRICT_RECORDS: &str = "
                      lost: w   | c   | d
        sent twice at once: ap  | ap  | ap
               next number: ro  | ro  | ro
             number before: Ieo | rm  | rm
                  number 9: ro  | ro  | ro
            checksum wrong: rc  | rc  | rc
                CR LF lost: .   | .   | .
without its STX and number: rsy | rsy | rsy
";

pub(super) const UNITS_STRICT_SPLIT: &str = "
                      lost: w   | iv  | iv
        sent twice at once: ap  | ap  | ap
               next number: ro  | ro  | ro
             number before: Ieo | rm  | rm
                  number 9: ro  | ro  | ro
            checksum wrong: rc  | rc  | rc
                CR LF lost: .   | .   | .
without its STX and number: rsy | rsy | rsy
";

pub(super) const UNITS_STRICT_WHOLE: &str = "
                      lost: w
        sent twice at once: ap
               next number: ro
             number before: .o
                  number 9: ro
            checksum wrong: rc
                CR LF lost: .
without its STX and number: rsy
";

pub(super) const REPLIES_RECORDS: &str = "
            lost: w | C  | C  | d
lost seven times: w | C  | C  | d
NAK in its place: w | ap | ap | ap
     comes twice: . | .  | .  | .
   NUL before it: . | .  | .  | .
    FF before it: . | .  | .  | .
EOT in its place: w | .  | .  | .
ENQ in its place: w | C  | C  | d
late, after 14 s: . | .  | .  | .
late, after 16 s: w | C  | C  | d
closed before it: w | Id | Id | d
";

pub(super) const REPLIES_SPLIT: &str = "
            lost: w | Iv | Iv | d
lost seven times: w | Iv | Iv | d
NAK in its place: w | ap | ap | ap
     comes twice: . | .  | .  | .
   NUL before it: . | .  | .  | .
    FF before it: . | .  | .  | .
EOT in its place: w | .  | .  | .
ENQ in its place: w | Iv | Iv | d
late, after 14 s: . | .  | .  | .
late, after 16 s: w | Iv | Iv | d
closed before it: w | Id | Id | d
";

pub(super) const REPLIES_WHOLE: &str = "
            lost: w | d
lost seven times: w | d
NAK in its place: w | ap
     comes twice: . | .
   NUL before it: . | .
    FF before it: . | .
EOT in its place: w | .
ENQ in its place: w | d
late, after 14 s: . | .
late, after 16 s: w | d
closed before it: w | d
";

pub(super) const LINES_RECORDS: &str = "
          connection closed: w | w   w   w   w   w   w   w   | id   id   id   id   id   id   id   | id   id   id   id   id   id   id   | .
           connection reset: w | w   w   w   w   w   w   w   | id   id   id   id   id   id   id   | id   id   id   id   id   id   id   | .
 half-open, back after 60 s: w | w   w   w   w   w   Il  Il  | il   il   il   il   il   Il   Il   | il   il   il   il   il   d    d    | .
 second session, first open: w | w   w   w   w   w   w   w   | id   id   id   id   id   id   id   | id   id   id   id   id   id   id   | .
    network stalls for 10 s: . | .   .   .   .   .   .   .   | .    .    .    .    .    .    .    | .    .    .    .    .    .    .    | .
    network stalls for 20 s: w | C   C   C   C   C   C   C   | C    C    C    C    C    C    C    | d    d    d    d    d    d    d    | .
    network stalls for 50 s: w | wuy wuy wuy wuy wuy wuy wuy | iluy iluy iluy iluy iluy iluy iluy | iluy iluy iluy iluy iluy iluy iluy | .u
        a stranger connects: . | .   .   .   .   .   .   .   | .    .    .    .    .    .    .    | .    .    .    .    .    .    .    | .
another instrument connects: . | .   .   .   .   .   .   .   | .    .    .    .    .    .    .    | .    .    .    .    .    .    .    | .
  LF and the rest late, 1 s: . | .   .   .   .   .   .   .   | .    .    .    .    .    .    .    | .    .    .    .    .    .    .    | .
";

pub(super) const LINES_SPLIT: &str = "
          connection closed: w | w   w   w   w   w   w   w   | id   id   id   id   id   id   id   | id   id   id   id   id   id   id   | .
           connection reset: w | w   w   w   w   w   w   w   | id   id   id   id   id   id   id   | id   id   id   id   id   id   id   | .
 half-open, back after 60 s: w | w   w   w   w   w   Il  Il  | il   il   il   il   il   Il   Il   | il   il   il   il   il   d    d    | .
 second session, first open: w | w   w   w   w   w   w   w   | id   id   id   id   id   id   id   | id   id   id   id   id   id   id   | .
    network stalls for 10 s: . | .   .   .   .   .   .   .   | .    .    .    .    .    .    .    | .    .    .    .    .    .    .    | .
    network stalls for 20 s: w | Iv  Iv  Iv  Iv  Iv  Iv  Iv  | Iv   Iv   Iv   Iv   Iv   Iv   Iv   | d    d    d    d    d    d    d    | .
    network stalls for 50 s: w | wuy wuy wuy wuy wuy wuy wuy | iluy iluy iluy iluy iluy iluy iluy | iluy iluy iluy iluy iluy iluy iluy | .u
        a stranger connects: . | .   .   .   .   .   .   .   | .    .    .    .    .    .    .    | .    .    .    .    .    .    .    | .
another instrument connects: . | .   .   .   .   .   .   .   | .    .    .    .    .    .    .    | .    .    .    .    .    .    .    | .
  LF and the rest late, 1 s: . | .   .   .   .   .   .   .   | .    .    .    .    .    .    .    | .    .    .    .    .    .    .    | .
";

pub(super) const LINES_WHOLE: &str = "
          connection closed: w | w   w   w   w   w   w   w   | .
           connection reset: w | w   w   w   w   w   w   w   | .
 half-open, back after 60 s: w | w   w   w   w   w   d   d   | .
 second session, first open: w | w   w   w   w   w   w   w   | .
    network stalls for 10 s: . | .   .   .   .   .   .   .   | .
    network stalls for 20 s: w | d   d   d   d   d   d   d   | .
    network stalls for 50 s: w | wuy wuy wuy wuy wuy wuy wuy | .u
        a stranger connects: . | .   .   .   .   .   .   .   | .
another instrument connects: . | .   .   .   .   .   .   .   | .
  LF and the rest late, 1 s: . | .   .   .   .   .   .   .   | .
";

pub(super) const CABLE_RECORDS: &str = "
  cable out for 3 s, EIO: wu | wu wu wu wu wu wu wu | idu idu idu idu idu idu idu | idu idu idu idu idu idu idu | .
cable out for 3 s, Ok(0): wu | wu wu wu wu wu wu wu | idu idu idu idu idu idu idu | idu idu idu idu idu idu idu | .
";

pub(super) const CABLE_SPLIT: &str = "
  cable out for 3 s, EIO: wu | wu wu wu wu wu wu wu | idu idu idu idu idu idu idu | idu idu idu idu idu idu idu | .
cable out for 3 s, Ok(0): wu | wu wu wu wu wu wu wu | idu idu idu idu idu idu idu | idu idu idu idu idu idu idu | .
";

pub(super) const CABLE_WHOLE: &str = "
  cable out for 3 s, EIO: wu | wu wu wu wu wu wu wu | .
cable out for 3 s, Ok(0): wu | wu wu wu wu wu wu wu | .
";

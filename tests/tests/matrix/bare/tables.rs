//! What comes of each fault on a line of bare records, cell by cell. The letters are those of
//! [`OUTCOMES`](super::OUTCOMES), then of [`NOTES`](crate::cells::NOTES).

pub(super) const NOISE: &str = "
 lowest bit flipped: h ii . h | h v m | h h v v v | ii ii .  ii
highest bit flipped: h h  h . | h h m | h h h h v | ii ii .  ii
          byte lost: h ii . . | h v m | h h v v v | ii ii .  ii
       byte doubled: h h  . . | h v . | h v v v . | ii .  .  .
       FF before it: h h  h . | h h . | h h h h h | ii ii .  .
      NUL before it: . h  h h | h h h | h h h h h | .  ii .  .
      ACK before it: . h  h h | h h h | h h h h h | .  ii .  .
      ENQ before it: . h  h h | h h h | h h h h h | .  ii .  .
      EOT before it: . i  i i | . i i | h i i i i | .  ii ii .
";

pub(super) const NOISE_AT_ONCE: &str = "
 lowest bit flipped: h j . h | h v m | h h v v v | j j . .
highest bit flipped: h h h . | h h m | h h h h v | j j . .
          byte lost: h j . . | h v m | h h v v v | j j . .
       byte doubled: h h . . | h v . | h v v v . | j . . .
       FF before it: h h h . | h h . | h h h h h | j j . .
      NUL before it: . h h h | h h h | h h h h h | . j . .
      ACK before it: . h h h | h h h | h h h h h | . j . .
      ENQ before it: . h h h | h h h | h h h h h | . j . .
      EOT before it: . i i i | . i i | h i i i i | . . . .
";

pub(super) const RECORDS: &str = "
                    lost: . . h m m v ii
             comes twice: . . . d d . .
    its second half lost: . h m h v m ii
             its CR lost: . h m . v m ii
   LF in place of its CR: . . . . . . .
CR LF in place of its CR: . . . . . . .
";

pub(super) const RECORDS_AT_ONCE: &str = "
                    lost: . . h m m v j
             comes twice: . . . d d . .
    its second half lost: . h m h v m .
             its CR lost: . h m . v m .
   LF in place of its CR: . . . . . . .
CR LF in place of its CR: . . . . . . .
";

pub(super) const NETWORK: &str = "
          connection closed: n i  i  i  | i  i  i  | i  i  i  i  i  | i  .  .  .
           connection reset: n i  i  i  | i  i  i  | i  i  i  i  i  | i  .  .  .
 half-open, back after 60 s: n ii ii ii | ii ii ii | ii ii ii ii ii | ii ii ii ii
 second session, first open: n i  i  i  | i  i  i  | i  i  i  i  i  | i  .  .  .
    network stalls for 10 s: . .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .
    network stalls for 20 s: . .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .
    network stalls for 50 s: . .  .  ii | ii ii ii | ii ii ii ii ii | ii ii ii ii
        a stranger connects: . .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .
another instrument connects: . .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .
  LF and the rest late, 1 s: . .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .
";

pub(super) const CABLE: &str = "
  cable out for 3 s, EIO: n n n i | i i i | i i i i i | i . . .
cable out for 3 s, Ok(0): n n n i | i i i | i i i i i | i . . .
";

pub(super) const ENCLOSED: &str = "
 lowest bit flipped: . | h ii . h | h v m | h h v v v | ii ii .  . | ii
highest bit flipped: h | h h  h . | h h m | h h h h v | ii ii .  . | ii
          byte lost: . | h ii . . | h v m | h h v v v | ii ii .  . | .
       byte doubled: . | h h  . . | h v . | h v v v . | ii .  .  . | .
       FF before it: h | h h  h . | h h . | h h h h h | ii ii .  . | ii
      NUL before it: . | . h  h h | h h h | h h h h h | .  ii .  . | .
      ACK before it: . | . h  h h | h h h | h h h h h | .  ii .  . | .
      ENQ before it: . | . h  h h | h h h | h h h h h | .  ii .  . | .
      EOT before it: . | . i  i i | . i i | h i i i i | .  ii ii . | .
";

pub(super) const ENCLOSED_AT_ONCE: &str = "
 lowest bit flipped: . | h j . h | h v m | h h v v v | j j . . | .
highest bit flipped: h | h h h . | h h m | h h h h v | j j . . | k
          byte lost: . | h j . . | h v m | h h v v v | j j . . | .
       byte doubled: . | h h . . | h v . | h v v v . | j . . . | .
       FF before it: h | h h h . | h h . | h h h h h | j j . . | .
      NUL before it: . | . h h h | h h h | h h h h h | . j . . | .
      ACK before it: . | . h h h | h h h | h h h h h | . j . . | .
      ENQ before it: . | . h h h | h h h | h h h h h | . j . . | .
      EOT before it: . | . i i i | . i i | h i i i i | . . . . | .
";

pub(super) const ENCLOSED_RECORDS: &str = "
                    lost: . . h m m v j
             comes twice: . . . d d . .
    its second half lost: . h m h v m .
             its CR lost: . h m . v m .
   LF in place of its CR: . . . . . . .
CR LF in place of its CR: . . . . . . .
";

pub(super) const ENCLOSED_NETWORK: &str = "
          connection closed: n | i  i  i  i  | i  i  i  | i  i  i  i  i  | i  .  .  .  | .
           connection reset: n | i  i  i  i  | i  i  i  | i  i  i  i  i  | i  .  .  .  | .
 half-open, back after 60 s: n | ii ii ii ii | ii ii ii | ii ii ii ii ii | ii ii ii ii | .
 second session, first open: n | i  i  i  i  | i  i  i  | i  i  i  i  i  | i  .  .  .  | .
    network stalls for 10 s: . | .  .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .  | .
    network stalls for 20 s: . | .  .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .  | .
    network stalls for 50 s: . | .  .  .  ii | ii ii ii | ii ii ii ii ii | ii ii ii ii | ii
        a stranger connects: . | .  .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .  | .
another instrument connects: . | .  .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .  | .
  LF and the rest late, 1 s: . | .  .  .  .  | .  .  .  | .  .  .  .  .  | .  .  .  .  | .
";

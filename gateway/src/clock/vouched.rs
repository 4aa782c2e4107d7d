//! Who vouches for this box's clock: a time service of the system.
//!
//! Promises to believe only what says that the clock is being kept right now: the file that systemd-timesyncd touches with
//! each answer of its server, or timedated, which asks the kernel (so chrony and ntpd count too). The kernel is not asked
//! directly, because the service may not (`ProtectClock`), and because the call is not to be had without `unsafe`. Where
//! neither is, nobody vouches, and the clock is plausible at best. Leaves out setting it.

use super::Clock;
use orugate_protocol::time::Utc;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::watch;

/// systemd-timesyncd touches it whenever its server has answered, at least every 35 minutes.
const TOUCHED: &str = "/run/systemd/timesync/synchronized";
/// So long an answer of the server counts.
const FRESH: Duration = Duration::from_secs(3 * 3600);
/// How often it is asked.
const EVERY: Duration = Duration::from_secs(60);
/// How often until somebody vouches for the first time: a box has no network at once.
const FIRST: Duration = Duration::from_secs(5);
/// Questions in that pace.
const FIRST_TIMES: u32 = 60;
/// timedated has to answer within this.
const ANSWER: Duration = Duration::from_secs(5);

/// Asks again and again, and tells the clock. For one that is not the system's nobody is asked.
pub async fn watch(clock: Clock, mut stop: watch::Receiver<bool>) {
    if !clock.is_the_systems() {
        return;
    }
    let mut asked = 0u32;
    loop {
        let kept = is_kept(clock.utc()).await;
        clock.vouch(kept);
        asked = if kept { FIRST_TIMES } else { asked.saturating_add(1) };
        let pause = if asked < FIRST_TIMES { FIRST } else { EVERY };
        if tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// Whether somebody keeps this machine's clock right, now that it shows `now`.
pub async fn is_kept(now: Utc) -> bool {
    touched(Path::new(TOUCHED), now) || timedated().await
}

/// Whether a file was touched not long before `now`.
fn touched(file: &Path, now: Utc) -> bool {
    let Ok(modified) = std::fs::metadata(file).and_then(|data| data.modified()) else { return false };
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let at = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    u128::from(now.0.abs_diff(at)) <= FRESH.as_micros()
}

async fn timedated() -> bool {
    let mut ask = Command::new("timedatectl");
    ask.args(["show", "--property=NTPSynchronized", "--value"]).kill_on_drop(true);
    let answer = tokio::time::timeout(ANSWER, ask.output()).await;
    matches!(answer, Ok(Ok(output)) if output.status.success() && output.stdout.trim_ascii() == b"yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_server_counts_for_three_hours() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("synchronized");
        assert!(!touched(&file, Utc(0)));
        std::fs::write(&file, "").unwrap();
        let modified = std::fs::metadata(&file).unwrap().modified().unwrap();
        let at = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64;
        for (hours, counts) in [(0, true), (2, true), (4, false), (-4, false)] {
            assert_eq!(touched(&file, Utc(at + hours * 3_600_000_000)), counts, "{hours} h later");
        }
    }
}

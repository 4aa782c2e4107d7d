//! The site's command for conditions: real processes that take it, fail, hang, flood and leave something behind; and a hold
//! that is told of again and again.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::alerts::{Failure, give};
use orugate::clock::Clock;
use orugate::engine::Engine;
use orugate::run::{Gateway, init_journal};
use orugate_protocol::time::Tick;
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(400);

fn shell(line: &str) -> Vec<String> {
    ["/bin/sh", "-c", line].map(String::from).to_vec()
}

async fn run(line: &str, words: &[u8], limit: Duration) -> Result<(), Failure> {
    give(&shell(line), words, limit).await
}

/// Descriptors of this process that a child of it would get.
fn inheritable() -> Vec<String> {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let stays = |fd: &String| {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("02000000");
        u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000 == 0
    };
    names.filter(stays).collect()
}

#[tokio::test]
async fn the_command_gets_the_words_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told");
    let at = file.display();
    // Descriptors that this process has open, and those that it was given itself and cannot close.
    let _open = std::fs::File::open("/dev/null").unwrap();
    let given = inheritable();
    let line = format!("cat > {at}; env > {at}.env; pwd > {at}.pwd; exec ls /proc/self/fd > {at}.fd");
    run(&line, b"{}\n", PATIENCE).await.unwrap();
    let read = |more: &str| std::fs::read_to_string(format!("{at}{more}")).unwrap();
    assert_eq!(read(""), "{}\n");
    // The fourth is that by which ls reads the folder.
    let fds: Vec<String> = read(".fd").lines().map(str::to_owned).collect();
    let strange = |fd: &&String| !["0", "1", "2", "3"].contains(&&***fd) && !given.contains(*fd);
    assert_eq!(fds.iter().find(strange), None, "{fds:?}");
    let names: Vec<String> =
        read(".env").lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
    assert!(names.iter().all(|name| ["PATH", "PWD", "SHLVL", "_", "OLDPWD"].contains(&&**name)), "{names:?}");
    assert_eq!(read(".pwd"), "/\n");
}

#[tokio::test]
async fn what_fails_is_told_by_its_status_and_what_it_said_only_to_the_log() {
    let failed =
        run("echo 'no route to mail host' >&2; echo more >&2; exit 3", b"", PATIENCE).await.unwrap_err();
    assert_eq!(failed.to_string(), "ended with exit status: 3");
    assert_eq!(format!("{failed:#}"), "ended with exit status: 3: no route to mail host");
    let absent = give(&["/nonexistent/alert".to_owned()], b"", PATIENCE).await.unwrap_err();
    assert!(matches!(&absent, Failure::Start(_)), "{absent}");
    // It need not read what it is told.
    run("exec <&-; exit 0", &vec![b'x'; 1 << 20], PATIENCE).await.unwrap();
}

#[tokio::test]
async fn what_hangs_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let line = format!("sleep 600 & echo $! > {0}; echo $$ >> {0}; trap '' TERM; wait", pids.display());
    let hung = run(&line, b"", SHORT).await.unwrap_err();
    assert!(matches!(hung, Failure::NoEnd(_)), "{hung}");
    let pids = std::fs::read_to_string(pids).unwrap();
    let started: Vec<&str> = pids.lines().collect();
    assert_eq!(started.len(), 2);
    let alive = |pid: &str| {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A zombie waits for its parent, which may be whoever started this machine.
        !state.is_empty() && !state.contains(") Z ")
    };
    tokio::time::timeout(PATIENCE, async {
        while started.iter().any(|pid| alive(pid)) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn floods_hold_up_nobody() {
    // Standard output goes nowhere, and standard error is heard to a bound.
    run("head -c 50000000 /dev/zero", b"", PATIENCE).await.unwrap();
    let flooded = run("yes >&2", b"", PATIENCE).await.unwrap_err();
    assert!(matches!(&flooded, Failure::Exit(..)), "{flooded}");
    // What it leaves behind with its standard error open is not waited for.
    let clock = Clock::system(0);
    run("sleep 5 >/dev/null & exit 0", b"", PATIENCE).await.unwrap();
    assert!(clock.tick().since(Tick::ZERO) < Duration::from_secs(4));
}

async fn gateway(folder: &Path, engine: &Engine, alerts: &str) -> Gateway {
    let text = configuration(folder, engine.address(), &[("analyzer", "generic-astm", Plug::Tcp)]);
    let text = text.replace("[[destination]]", &format!("[alerts]\n{alerts}\n[[destination]]"));
    let plan = plan(folder, &text);
    std::fs::create_dir(&plan.journal.path).unwrap();
    let clock = Clock::system(0);
    init_journal(&plan.journal.path, clock.utc()).unwrap();
    let now = clock.utc();
    Gateway::start(plan, |_| Clock::starting_at(now)).await.unwrap()
}

async fn held(gateway: &Gateway, sample: &str, holds: usize) {
    let address = gateway.listening()["analyzer"];
    let records = invented(sample, "20261122101500", &[777_000_777]);
    let sent = tokio::task::spawn_blocking(move || {
        Sender::connect(address).unwrap().message(&records, &mut |_| {}).unwrap();
    });
    sent.await.unwrap();
    let mut applied = gateway.store.applied();
    let so = async {
        while gateway.store.state().holds().count() < holds || gateway.store.state().next_pending().is_some()
        {
            applied.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, so).await.unwrap();
}

/// What a command that appends its input to a file was told, once there are so many lines.
async fn told(file: &Path, lines: usize) -> Vec<Value> {
    let read = || std::fs::read_to_string(file).unwrap_or_default();
    tokio::time::timeout(PATIENCE, async {
        while read().lines().count() < lines {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    read().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until no child of this name is left, not even unreaped: one that has said its line may still be ending, and a leap
/// of the test's time would make it one that took too long.
async fn ended(name: &str) {
    let me = std::process::id().to_string();
    let is_mine = |stat: String| {
        let (front, rest) = stat.rsplit_once(") ").unwrap_or_default();
        front.ends_with(&format!("({name}")) && rest.split(' ').nth(1) == Some(&*me)
    };
    let runs = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.into_iter().any(|entry| std::fs::read_to_string(entry.path().join("stat")).is_ok_and(is_mine))
    };
    tokio::time::timeout(PATIENCE, async {
        while runs() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

fn events(told: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    told.iter().map(|it| (text(&it["event"]), text(&it["code"]))).collect()
}

#[tokio::test]
async fn a_held_result_is_told_of_until_somebody_settles_it() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let file = folder.path().join("told");
    let script = folder.path().join("alert-held");
    std::fs::write(&script, format!("#!/bin/sh\ncat >> {}\n", file.display())).unwrap();
    let alerts = format!(
        "hold_older_than = \"30 min\"\nhold_repeat = \"45 min\"\non_condition = [\"/bin/sh\", \"{}\"]",
        script.display()
    );
    let before = inheritable();
    let gateway = gateway(folder.path(), &engine, &alerts).await;
    held(&gateway, "", 1).await;
    assert_eq!(inheritable(), before, "what the gateway opened would go to the command");
    gateway.admin.look();
    let first = told(&file, 1).await;
    assert_eq!(events(&first), [("raised".to_owned(), "holds".to_owned())]);
    assert_eq!(first[0]["gateway"], "TEST");
    assert!(first[0]["text"].as_str().unwrap().starts_with("1 hold waits for a person"));

    // From here on time is the test's. A child needs real time, so it is let pass only between two looks.
    let pass = async |minutes: u64| {
        ended("alert-held").await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(60 * minutes)).await;
        tokio::time::resume();
        gateway.admin.look();
    };
    pass(29).await;
    pass(2).await;
    let all = told(&file, 2).await;
    assert_eq!(events(&all)[1], ("raised".to_owned(), "hold-overdue".to_owned()));
    let text = all[1]["text"].as_str().unwrap();
    assert!(text.contains("longer than 30 min") && text.contains("no-sample-id"), "{text}");
    pass(40).await;
    pass(6).await;
    let all = told(&file, 3).await;
    assert_eq!(events(&all)[2], ("repeated".to_owned(), "hold-overdue".to_owned()));
    pass(46).await;
    told(&file, 4).await;
    let hold = gateway.store.state().holds().next().map(|(number, _)| number).unwrap();
    let reason = "no tube".to_owned();
    gateway.admin.answer(orugate::admin::Request::Discard { hold, reason }, "uid 0").await;
    pass(2).await;
    let all = told(&file, 6).await;
    let mut last = events(&all)[4..].to_vec();
    last.sort();
    let cleared = |code: &str| ("cleared".to_owned(), code.to_owned());
    assert_eq!(last, [cleared("hold-overdue"), cleared("holds")]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("777000777"), "a value is in it");
    gateway.stop().await;
}

#[tokio::test]
async fn a_command_that_fails_is_a_condition_until_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start(Clock::system(0)).unwrap();
    let flag = folder.path().join("works");
    let alerts = format!("on_condition = [\"/bin/sh\", \"-c\", \"test -e {}\"]", flag.display());
    let gateway = gateway(folder.path(), &engine, &alerts).await;
    held(&gateway, "", 1).await;
    gateway.admin.look();
    let failing = || gateway.admin.conditions.list().into_iter().find(|c| c.code.as_str() == "alert-failed");
    let until = async |fails: bool| {
        tokio::time::timeout(PATIENCE, async {
            while failing().is_some() != fails {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    };
    until(true).await;
    let text = failing().unwrap().text;
    assert!(text.contains("/bin/sh") && text.contains("exit status: 1"), "{text}");
    std::fs::write(&flag, "").unwrap();
    // A minute later it is tried again.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    until(false).await;
    gateway.stop().await;
}

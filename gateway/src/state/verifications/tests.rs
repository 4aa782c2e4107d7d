//! Sessions as the fold sees them: live, after a start, from a checkpoint, and in a journal that gave all else back.
#![allow(clippy::unwrap_used)]

use crate::records::{
    Analyzer, Answer, Fate, Outcome, Provenance, Shows, Verification, VerificationAct, VerificationScope,
};
use crate::state::failed::{delivered, disposition, fails, message, outcome, store};
use crate::state::{State, Unproven};
use crate::store::{Entry, Store};
use orugate_journal::model::{Crash, ModelDisk};

fn scope(mode: &str, wanted: &[Shows]) -> VerificationScope {
    VerificationScope {
        instrument: "one".to_owned(),
        mode: mode.to_owned(),
        wanted: wanted.to_vec(),
        ..VerificationScope::default()
    }
}

fn said(session: u64, act: VerificationAct) -> Verification {
    Verification { session, at: 5, actor: "uid 7".to_owned(), name: String::new(), act }
}

fn begin(store: &Store, scope: VerificationScope) -> u64 {
    let number = store.reserve().unwrap();
    let session = number.get().0;
    let began = said(session, VerificationAct::Began(Box::new(scope)));
    let _ = store.append_wait(vec![Entry::new(&began).numbered(number)], None).unwrap();
    session
}

fn say(store: &Store, session: u64, act: VerificationAct) {
    let entry = Entry::with_payload(&said(session, act), b"{\"words\":\"invented\"}".to_vec());
    let _ = store.append_wait(vec![entry], None).unwrap();
}

fn answer(message: u64, observation: u32, answer: Answer) -> VerificationAct {
    VerificationAct::Said { message, observation, answer, shows: Vec::new() }
}

/// A message of this analyzer whose results went so.
fn heard(store: &Store, serial: &str, profile_hash: &str, fates: &[Fate]) -> u64 {
    let message = message(store);
    let dispositions = (0u32..).zip(fates).map(|(observation, fate)| disposition(observation, fate.clone()));
    let outcome = Outcome {
        message,
        instrument: "one".to_owned(),
        at: 1,
        provenance: Provenance { profile_hash: profile_hash.to_owned(), ..Provenance::default() },
        dispositions: dispositions.collect(),
        analyzer: Analyzer { model: "M".to_owned(), serial: serial.to_owned() },
        ..Outcome::default()
    };
    let _ = store.append_wait(vec![Entry::new(&outcome)], None).unwrap();
    message
}

fn refused(store: &Store, session: u64, message: u64, observation: u32, answer: Answer) -> String {
    store.state().verifications().get(session).unwrap().takes(message, observation, answer).unwrap_err()
}

fn proofs(state: &State) -> Vec<u64> {
    state.verifications().proofs("one", "", "").map(|(session, _)| session).collect()
}

#[test]
fn an_answer_counts_only_for_what_the_journal_says_was_sent() {
    let disk = ModelDisk::new();
    let store = store(&disk);
    let before = message(&store);
    let (entries, ..) = outcome(&store, before, None);
    let _ = store.append_wait(entries, None).unwrap();
    let session = begin(&store, scope("test", &[Shows::Control]));
    let strange = heard(&store, "1", "of another profile", &[Fate::Sent]);
    let control = heard(&store, "1", "", &[Fate::Qc("O.12 is Q".to_owned())]);
    let of_another = heard(&store, "2", "", &[Fate::Qc("O.12 is Q".to_owned())]);
    let now = message(&store);
    let (entries, oru, _) = outcome(&store, now, None);
    let _ = store.append_wait(entries, None).unwrap();

    let says = |message, observation, answer, what: &str| {
        let why = refused(&store, session, message, observation, answer);
        assert!(why.contains(what), "{why}");
    };
    says(before, 0, Answer::Same, "did not come from one since this verification began");
    says(strange, 0, Answer::Same, "or was read by another profile");
    says(now, 0, Answer::Same, "No destination has acknowledged");
    let _ = store.append_wait(delivered(oru), None).unwrap();
    says(now, 1, Answer::Same, "neither sent nor quality control");
    says(now, 0, Answer::Control, "If it is none, that is a difference");
    says(control, 0, Answer::Same, "Say what it is");
    say(&store, session, answer(now, 0, Answer::Same));
    // The message of `outcome` names no analyzer, the control does.
    says(
        control,
        0,
        Answer::Control,
        "another analyzer (M, serial 1) than what was answered before (no model named, no serial",
    );
    says(of_another, 0, Answer::Differs, "Look at the cable");

    let state = store.state();
    let of = state.verifications().get(session).unwrap();
    assert_eq!(of.strange, 1);
    assert_eq!(
        of.verdict().unwrap_err(),
        ["a control that went to no patient was not seen, and nothing says why"]
    );
    drop(state);
    say(&store, session, VerificationAct::Excused(Shows::Control));
    say(&store, session, answer(now, 0, Answer::Differs));
    let verdict = || store.state().verifications().get(session).unwrap().verdict();
    assert_eq!(verdict().unwrap_err(), ["no result was confirmed", "1 result differs"]);
    say(&store, session, answer(now, 0, Answer::Same));
    assert_eq!(verdict().unwrap(), Analyzer::default());
}

#[test]
fn only_test_mode_proves() {
    let disk = ModelDisk::new();
    let store = store(&disk);
    let session = begin(&store, scope("live", &[]));
    let now = message(&store);
    let (entries, oru, _) = outcome(&store, now, None);
    let _ = store.append_wait(entries, None).unwrap();
    let _ = store.append_wait(delivered(oru), None).unwrap();
    say(&store, session, answer(now, 0, Answer::Same));
    let verdict = store.state().verifications().get(session).unwrap().verdict();
    assert_eq!(verdict.unwrap_err(), ["it was not made in test mode"]);
}

#[test]
fn a_session_is_the_same_after_a_start_and_from_a_checkpoint() {
    let disk = ModelDisk::new();
    let running = store(&disk);
    let session = begin(&running, scope("test", &[Shows::Control, Shows::Flag]));
    let control = heard(&running, "1", "", &[Fate::Qc("H.12 is Q".to_owned()), Fate::Sent]);
    say(&running, session, answer(control, 0, Answer::Control));
    // Nobody was told that this is kept, and something else was kept behind it, so it is not.
    fails(&disk, &running, vec![Entry::new(&said(session, answer(control, 1, Answer::Differs)))]);
    say(&running, session, VerificationAct::Excused(Shows::Flag));
    // Without places: a start writes the last commit once more, behind what it found.
    let told = |state: &State| {
        let of = state.verifications().get(session).unwrap();
        let records: Vec<&u64> = of.records.keys().collect();
        format!("{records:?} {:?} {:?} {:?} {:?} {:?}", of.scope, of.heard, of.said, of.excused, of.analyzer)
    };
    let before = told(&running.state());
    assert!(before.contains("Control") && !before.contains("Differs"), "{before}");
    assert_eq!(told(&State::restored(&running.state().checkpoint()).unwrap()), before);
    drop(running);
    let found = store(&disk.crash(disk.steps(), Crash::Kept));
    assert_eq!(told(&found.state()), before);
    // It goes on.
    say(&found, session, VerificationAct::Ended { proof: Some(Analyzer::default()) });
    assert_eq!(proofs(&found.state()), [session]);
    let of = found.state().verifications().why_not("one", "changed", "");
    assert_eq!(of, Some(Unproven::Changed(session)));
    assert_eq!(found.state().verifications().why_not("one", "", "a map"), Some(Unproven::Changed(session)));
    assert_eq!(found.state().verifications().why_not("two", "", ""), Some(Unproven::Never));
    assert_eq!(found.state().verifications().why_not("one", "", ""), None);
}

#[test]
fn a_proof_outlives_all_else_in_a_small_journal_and_can_be_reported_again() {
    let disk = ModelDisk::new();
    let mut running = crate::state::kept::store(&disk);
    let session = begin(&running, scope("test", &[]));
    let first = running.state().verifications().get(session).unwrap().places().next().unwrap().segment();
    for answered in 0..3 {
        say(&running, session, answer(answered, 0, Answer::Skipped));
    }
    say(&running, session, VerificationAct::Ended { proof: Some(Analyzer::default()) });
    for round in 0..3 {
        for _ in 0..100 {
            crate::state::kept::work(&running);
        }
        assert_eq!(proofs(&running.state()), [session], "round {round}");
        drop(running);
        running = crate::state::kept::store(&disk.crash(disk.steps(), Crash::Kept));
        assert_eq!(proofs(&running.state()), [session], "round {round}");
    }
    let places: Vec<_> = running.state().verifications().get(session).unwrap().places().copied().collect();
    assert_eq!(places.len(), 5);
    for at in places {
        assert_ne!(at.segment(), first, "it was carried");
        let record = running.journal().read(at).unwrap();
        assert_eq!(record.as_ref().kind.0, 16);
    }
}

#[test]
fn old_sessions_are_let_go_and_the_proof_of_a_profile_is_not() {
    let disk = ModelDisk::new();
    let store = store(&disk);
    let proven = begin(&store, scope("test", &[]));
    say(&store, proven, VerificationAct::Ended { proof: Some(Analyzer::default()) });
    let before = store.state().needed_count();
    for _ in 0..30 {
        let session = begin(&store, scope("test", &[]));
        say(&store, session, VerificationAct::Ended { proof: None });
    }
    assert_eq!(proofs(&store.state()), [proven]);
    assert_eq!(store.state().verifications().all().count(), 9);
    assert_eq!(store.state().needed_count(), before + 8 * 2);
    // A newer proof of the same takes its place.
    for _ in 0..9 {
        let session = begin(&store, scope("test", &[]));
        say(&store, session, VerificationAct::Ended { proof: Some(Analyzer::default()) });
    }
    assert_eq!(store.state().verifications().all().count(), 8);
    assert!(!proofs(&store.state()).contains(&proven));
}

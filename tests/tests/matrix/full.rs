//! A journal that takes nothing more, while people want something kept, and a stranger who knocks all the time.

use crate::rig::{Rig, Setup, run};
use orugate::admin::{Request, Response, VerificationView, VerifyRequest};
use orugate::records::{Answer, Shows};
use orugate_tests::oracle::{Invented, Layout};
use std::net::IpAddr;
use std::sync::Arc;

async fn ask(rig: &Rig, request: VerifyRequest) -> Result<VerificationView, String> {
    match rig.gateway().admin.answer(Request::Verify(request), "uid 7").await {
        Response::Verifications(mut views) => Ok(views.remove(0)),
        Response::Refused(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_that_a_full_journal_does_not_take_is_not_noted_and_counts_when_it_is_said_again() {
    run(&Setup::default(), async |rig| {
        let begin =
            VerifyRequest::Begin { instrument: "one".to_owned(), name: String::new(), wanted: Vec::new() };
        let session = ask(rig, begin).await.unwrap().session;
        let message = Invented::new("S", Layout::Records);
        rig.instrument("one", &message.wire(), &[], None).await.unwrap();
        rig.pass(5).await;
        let heard = ask(rig, VerifyRequest::Show { session }).await.unwrap();
        let message = heard.messages.first().map(|heard| heard.message).expect("it was acknowledged");
        // As large as a screen with many remarks.
        let long = "x".repeat(20 << 10);
        let say = || VerifyRequest::Say {
            session,
            name: String::new(),
            message,
            observation: 0,
            answer: Answer::Same,
            shows: Vec::new(),
            evidence: format!("{{\"comment\":\"{long}\"}}"),
        };
        let excuse = |item| VerifyRequest::Excuse { session, name: String::new(), item, words: long.clone() };
        let taken: u64 = rig.disk.names().iter().map(|name| rig.disk.bytes(name).unwrap().len() as u64).sum();
        rig.disk.limit_capacity(taken);
        let mut kept = 0;
        while ask(rig, excuse(Shows::Control)).await.is_ok() {
            kept += 1;
            assert!(kept < 100, "the journal is never full");
        }
        for request in [say(), excuse(Shows::Blank)] {
            let why = ask(rig, request).await.unwrap_err();
            assert_eq!(why, "It is not noted: the journal is full. Say it again. See: orugate status");
        }
        let stands = ask(rig, VerifyRequest::Show { session }).await.unwrap();
        assert_eq!(
            (stands.same, stands.excused.contains(&Shows::Blank)),
            (0, false),
            "what was refused does not count"
        );
        rig.disk.limit_capacity(u64::MAX);
        ask(rig, say()).await.unwrap();
        ask(rig, excuse(Shows::Blank)).await.unwrap();
        // On flash, and not only in memory.
        rig.cut().await;
        let stands = ask(rig, VerifyRequest::Show { session }).await.unwrap();
        assert_eq!((stands.same, stands.excused.contains(&Shows::Blank)), (1, true));
    });
}

#[test]
fn a_stranger_who_knocks_all_the_time_is_counted_and_takes_no_time_of_the_instrument() {
    run(&Setup::default(), async |rig| {
        let stranger = rig.net.host(IpAddr::from([192, 0, 2, 9]));
        let place = rig.place("one");
        let stranger: Arc<dyn orugate::wire::Wires> = Arc::new(stranger);
        for _ in 0..300 {
            drop(stranger.connect(&place, std::time::Duration::from_secs(1)).await);
            rig.pass(1).await;
        }
        let status = rig.status("one");
        assert_eq!(status.notes, 300, "none goes uncounted");
        let said = "refused a connection from 192.0.2.9: this address is not in the instrument's `allow`";
        assert_eq!(status.last_note.map(|(_, said)| said).as_deref(), Some(said));
        let message = Invented::new("S", Layout::Records);
        rig.instrument("one", &message.wire(), &[], None).await.unwrap();
        rig.pass(5).await;
        assert_eq!(rig.came("one").sent, message.of(message.frames.len()).sent);
    });
}

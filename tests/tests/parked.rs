//! Messages that wait parked, and the command that sends them again: what an engine refused and what its charset could
//! not express; the same bytes or another number; never the old behind the new.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use orugate::admin::{DestinationLine, ParkedView, Request, Response};
use orugate::archive;
use orugate::clock::Clock;
use orugate::conditions;
use orugate::config::Plan;
use orugate::engine::{Behaviour, Engine};
use orugate::records::{Meta as _, ParkedSettled, Sending};
use orugate::run::{Gateway, init_journal};
use orugate_journal::{FileStorage, Journal, Options};
use orugate_protocol::hl7::ack::{Code, ErrorCode};
use orugate_tests::oru::{control_id, field, results, segments};
use orugate_tests::sender::{Sender, invented};
use orugate_tests::world::{PATIENCE, Plug, configuration, plan};
use std::path::Path;
use tempfile::TempDir;

const ACTOR: &str = "uid 4711";
/// An engine's last word: no other try is made.
const REFUSED: Behaviour =
    Behaviour::Answer(Code::ApplicationReject, Some(ErrorCode::UNSUPPORTED_VERSION_ID));
const EARLY: &str = "20261122101500";

/// A gateway with one analyzer, the engine `engine`, and `second` with these options; and what they live in.
struct Site {
    folder: TempDir,
    engine: Engine,
    second: Engine,
    gateway: Gateway,
}

impl Site {
    async fn start(profile: &str, options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(Clock::system(0)).unwrap();
        let second = Engine::start(Clock::system(0)).unwrap();
        let plan = text(folder.path(), &engine, &second, profile, options);
        std::fs::create_dir(&plan.journal.path).unwrap();
        init_journal(&plan.journal.path, Clock::system(0).utc()).unwrap();
        let gateway = Gateway::start(plan, Clock::system).await.unwrap();
        Self { folder, engine, second, gateway }
    }

    fn plan(&self, profile: &str, options: &str) -> Plan {
        text(self.folder.path(), &self.engine, &self.second, profile, options)
    }

    async fn restart(self, profile: &str, options: &str) -> Self {
        self.gateway.stop().await;
        let plan = text(self.folder.path(), &self.engine, &self.second, profile, options);
        let gateway = Gateway::start(plan, Clock::system).await.unwrap();
        Self { gateway, ..self }
    }

    async fn hear(&self, records: Vec<String>) {
        let address = self.gateway.listening()["analyzer"];
        let sent = tokio::task::spawn_blocking(move || {
            Sender::connect(address).unwrap().message(&records, &mut |_| {}).unwrap();
        });
        sent.await.unwrap();
    }

    async fn until(&self, so: impl Fn(&Self) -> bool) {
        let mut applied = self.gateway.store.applied();
        let waited = tokio::time::timeout(PATIENCE, async {
            while !so(self) {
                applied.changed().await.unwrap();
            }
        });
        waited.await.unwrap();
    }

    /// Waits until so many are parked for `second` and so many were delivered to it.
    async fn second_has(&self, parked: usize, delivered: u64) {
        self.until(|site| {
            let state = site.gateway.store.state();
            state.queue("second").is_some_and(|q| (q.parked.len(), q.delivered) == (parked, delivered))
        })
        .await;
    }

    async fn ask(&self, request: Request) -> Response {
        self.gateway.admin.answer(request, ACTOR).await
    }

    async fn parked(&self) -> Vec<ParkedView> {
        let answer = self.ask(Request::Parked { number: None }).await;
        let Response::Parked(all) = answer else { panic!("{answer:?}") };
        all
    }

    async fn send(&self, number: u64) -> Result<String, String> {
        words(self.ask(Request::SendParked { number }).await)
    }

    /// `second` in the list of destinations, without its age.
    async fn second_line(&self) -> DestinationLine {
        let answer = self.ask(Request::Destinations).await;
        let Response::Destinations(all) = answer else { panic!("{answer:?}") };
        assert_eq!(all.iter().map(|line| &*line.name).collect::<Vec<_>>(), ["engine", "second"]);
        DestinationLine { oldest: None, ..all.into_iter().nth(1).unwrap() }
    }

    async fn conditions(&self) -> Vec<(conditions::Code, String)> {
        let answer = self.ask(Request::Status).await;
        let Response::Status(status) = answer else { panic!("{answer:?}") };
        status.conditions.into_iter().map(|c| (c.code, c.next)).collect()
    }

    async fn drop_second(&self, reason: &str) -> Result<String, String> {
        let (destination, reason) = ("second".to_owned(), reason.to_owned());
        words(self.ask(Request::DropDestination { destination, reason }).await)
    }

    /// What persons decided, as the journal has it.
    async fn decisions(self) -> Vec<Sending> {
        self.gateway.stop().await;
        let mut all = Vec::new();
        let storage = FileStorage::new(self.folder.path().join("journal")).unwrap();
        let opened = Journal::open(storage, Options::default(), &mut |record| {
            if record.kind.0 == ParkedSettled::KIND {
                let settled = ParkedSettled::decode(record.meta_version, record.meta).unwrap();
                assert_eq!(settled.actor, ACTOR);
                all.push(settled.how);
            }
        });
        drop(opened.unwrap());
        all
    }
}

fn text(folder: &Path, engine: &Engine, second: &Engine, profile: &str, options: &str) -> Plan {
    let text = configuration(folder, engine.address(), &[("analyzer", profile, Plug::Tcp)]);
    let text = text.replace("send_to = [\"engine\"]", "send_to = [\"engine\", \"second\"]")
        + &format!(
            "[[destination]]\nname = \"second\"\nrole = \"lis\"\n{options}\n\
             receiving = {{ application = \"SECOND\", facility = \"HOSP\" }}\nmllp = {{ address = \"{}\" }}\n",
            second.address()
        );
    plan(folder, &text)
}

fn words(response: Response) -> Result<String, String> {
    match response {
        Response::Done(text) => Ok(text),
        Response::Refused(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

fn bodies(engine: &Engine) -> Vec<Vec<u8>> {
    engine.messages().into_iter().map(|m| m.bytes).collect()
}

/// One order of a cobas, of which one unit is not ASCII. The sender writes UTF-8, which is Latin-1 of two characters.
fn with_micro(sample: &str) -> Vec<String> {
    let mut records = invented(sample, EARLY, &[7]);
    records[2] = format!("O|1|{sample}||^^^T1|R");
    records[3] = records[3].replace("mmol/L", "\u{B5}mol/L");
    records
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_charset_lacked_goes_in_the_charset_of_today_under_a_new_number() {
    let cobas = "roche-cobas-c";
    let site = Site::start(cobas, "charset = \"ASCII\"").await;
    site.hear(with_micro("C-1")).await;
    site.hear(with_micro("C-2")).await;
    site.second_has(2, 0).await;
    let parked = site.parked().await;
    let first = &parked[0];
    assert!(first.never_sent);
    assert_eq!((first.destination.as_str(), first.instrument.as_deref()), ("second", Some("analyzer")));
    assert!(first.why.contains("OBX-6") && first.why.ends_with("then orugate parked send"), "{}", first.why);
    let still = site.send(first.number).await.unwrap_err();
    assert!(
        still.starts_with("Still parked: OBX-6 has a character that second's charset, ASCII,"),
        "{still}"
    );
    // The answer survives a restart, since the journal has it.
    let site = site.restart(cobas, "charset = \"ASCII\"").await;
    assert_eq!(site.parked().await.iter().map(|p| p.never_sent).collect::<Vec<_>>(), [true, true]);

    site.gateway.reload(site.plan(cobas, "charset = \"8859/1\""), "test").await;
    let done = site.send(first.number).await.unwrap();
    assert!(done.contains("goes to second for the first time, in 8859/1, as number "), "{done}");
    site.second_has(1, 1).await;
    let again = site.send(first.number).await.unwrap_err();
    assert!(again.contains("There is no parked message"), "sent once: {again}");
    site.gateway.reload(site.plan(cobas, ""), "test").await;
    let second = parked[1].number;
    let done = site.send(second).await.unwrap();
    assert!(done.contains("in UNICODE UTF-8"), "{done}");
    site.second_has(0, 2).await;

    let (latin, utf8) = (&bodies(&site.second)[0], &bodies(&site.second)[1]);
    let msh = segments(latin)[0].clone();
    assert_eq!(field(&msh, 18), "8859/1");
    let number = done_number(&msh);
    assert!(number > second, "a new body has a new MSH-10");
    assert!(latin.windows(8).any(|w| w == b"|\xC2\xB5mol/L"), "{:?}", String::from_utf8_lossy(latin));
    let kept: Vec<String> = segments(&bodies(&site.engine)[0])[1..].to_vec();
    let read: String = latin.iter().copied().map(char::from).collect();
    assert_eq!(segments(read.as_bytes())[1..], kept, "the report is that of the other destination");
    assert_eq!(control_id(utf8), format!("TEST{second:016}"), "what was kept goes as it is");
    let queue = |site: &Site| {
        let state = site.gateway.store.state();
        let queue = state.queue("second").unwrap();
        (queue.orus, queue.observations, queue.delivered, queue.delivered_observations)
    };
    assert_eq!(queue(&site), (2, 2, 2, 2));
    assert_eq!(site.decisions().await, [Sending::Anew(number), Sending::Again]);
}

fn done_number(msh: &str) -> u64 {
    field(msh, 10)[4..].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_engine_refused_goes_again_byte_by_byte_and_once() {
    let site = Site::start("generic-astm", "").await;
    site.second.script([REFUSED]);
    site.hear(invented("R-1", EARLY, &[7, 8])).await;
    site.second_has(1, 0).await;
    // Another charset changes nothing: the engine knows this MSH-10 by these bytes.
    let site = site.restart("generic-astm", "charset = \"8859/1\"").await;
    let parked = site.parked().await;
    assert!(!parked[0].never_sent && parked[0].why.contains("AR"), "{parked:?}");
    let number = parked[0].number;
    site.second.script([Behaviour::Silent]);
    let done = site.send(number).await.unwrap();
    assert!(done.contains(&format!("Message {number} goes to second again, the same bytes")), "{done}");
    let waits = site.send(number).await.unwrap();
    assert!(waits.contains("waits for second already"), "{waits}");
    assert_eq!(site.parked().await, []);
    // The answer that did not come is waited for in vain; a restart sends the same bytes.
    let site = site.restart("generic-astm", "").await;
    site.second_has(0, 1).await;
    assert!(site.send(number).await.unwrap_err().contains("no parked message"));
    let counts = site.second.counts();
    assert!(counts.messages >= 3, "{counts:?}");
    assert_eq!((counts.distinct, counts.conflicts), (1, 0), "a resend is byte-identical");
    assert_eq!(control_id(&bodies(&site.second)[0]), format!("TEST{number:016}"));
    assert_eq!(site.decisions().await, [Sending::Again]);
}

/// Records of orders: (sample, results as (code, value)).
fn orders(orders: &[(&str, &[(&str, &str)])]) -> Vec<String> {
    let mut records = vec![format!("H|\\^&|||RIG^1|||||||P|1|{EARLY}"), "P|1".to_owned()];
    for (o, (sample, results)) in (1..).zip(orders) {
        records.push(format!("O|{o}|{sample}||^^^ALL|R||||||N"));
        for (n, (code, value)) in (1..).zip(*results) {
            records.push(format!("R|{n}|^^^{code}|{value}|mmol/L||N||F||||{EARLY}"));
        }
    }
    records.push("L|1|N".to_owned());
    records
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_never_follows_the_new() {
    let site = Site::start("generic-astm", "").await;
    site.second.script([REFUSED, REFUSED, REFUSED]);
    site.hear(orders(&[
        ("S-1", &[("GLU", "5"), ("UREA", "6")]),
        ("S-2", &[("GLU", "7")]),
        ("S-3", &[("GLU", "8"), ("UREA", "9")]),
    ]))
    .await;
    site.second_has(3, 0).await;
    let numbers: Vec<u64> = site.parked().await.iter().map(|p| p.number).collect();
    // All of the first order comes again otherwise, one result of the third; the second came again as it was.
    site.hear(orders(&[("S-1", &[("GLU", "5.1"), ("UREA", "6.1")])])).await;
    site.hear(orders(&[("S-2", &[("GLU", "7")]), ("S-3", &[("UREA", "9.1")])])).await;
    site.second_has(3, 3).await;

    let first = site.send(numbers[0]).await.unwrap_err();
    assert!(first.contains("was not sent to second: a later report brought its results"), "{first}");
    let third = site.send(numbers[2]).await.unwrap_err();
    assert!(third.starts_with("Not sent: 1 of the 2 results of message"), "{third}");
    assert!(third.contains("Send the sample again from analyzer"), "{third}");
    assert!(site.send(numbers[1]).await.unwrap().contains("the same bytes"));
    site.second_has(1, 4).await;
    let discard = |reason: &str| Request::DiscardParked { number: numbers[2], reason: reason.to_owned() };
    assert!(words(site.ask(discard(" ")).await).unwrap_err().contains("needs a reason"));
    words(site.ask(discard("sent again by hand")).await).unwrap();
    assert!(words(site.ask(discard("twice")).await).unwrap_err().contains("no parked message"));
    site.second_has(0, 4).await;
    let values: Vec<String> =
        bodies(&site.second)[3..].iter().flat_map(|body| results(body)).map(|seen| seen.value).collect();
    assert_eq!(values, ["5.1", "6.1", "7", "9.1"]);
    let times: Vec<u32> = site.second.messages().iter().map(|m| m.times).collect();
    assert_eq!(times, [1, 2, 1, 1, 1, 1], "only the second order's went again");
    let expected = [Sending::Superseded, Sending::Again, Sending::Discarded("sent again by hand".to_owned())];
    assert_eq!(site.decisions().await, expected);
}

/// What comes again unchanged does not go to a destination that suppresses resends, so it overtakes nothing there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_content_again_overtakes_nothing() {
    let site = Site::start("generic-astm", "resends = \"suppress\"").await;
    site.second.script([REFUSED]);
    site.hear(invented("S-1", EARLY, &[7])).await;
    site.second_has(1, 0).await;
    site.hear(invented("S-1", EARLY, &[7])).await;
    site.until(|site| site.gateway.store.state().queue("engine").is_some_and(|q| q.delivered == 2)).await;
    let number = site.parked().await[0].number;
    assert!(site.send(number).await.is_ok());
    site.second_has(0, 1).await;
    assert_eq!(site.second.messages()[0].times, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_is_gone_has_to_come_back_first() {
    let site = Site::start("generic-astm", "").await;
    site.second.script([REFUSED]);
    site.hear(invented("S-1", EARLY, &[7])).await;
    site.second_has(1, 0).await;
    let text =
        configuration(site.folder.path(), site.engine.address(), &[("analyzer", "generic-astm", Plug::Tcp)]);
    site.gateway.reload(plan(site.folder.path(), &text), "test").await;
    let parked = site.parked().await;
    assert_eq!((parked.len(), parked[0].charset.as_deref()), (1, None));
    let gone = site.send(parked[0].number).await.unwrap_err();
    assert!(gone.contains("no longer names the destination second"), "{gone}");
    let unknown = words(site.ask(Request::Parked { number: Some(1) }).await).unwrap_err();
    assert!(unknown.contains("orugate parked list"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_destination_that_is_gone_for_good_is_given_up_once_it_is_out_of_the_configuration()
{
    let site = Site::start("generic-astm", "").await;
    site.second.script([REFUSED, Behaviour::Silent]);
    for sample in ["S-1", "S-2", "S-3"] {
        site.hear(invented(sample, EARLY, &[7])).await;
    }
    site.second_has(1, 0).await;
    site.until(|site| site.gateway.store.state().queue("engine").is_some_and(|q| q.delivered == 3)).await;
    let refused = site.drop_second("sold").await.unwrap_err();
    assert!(
        refused.contains("second is in the running configuration, and 3 messages wait for it"),
        "{refused}"
    );
    let line = |configured, waiting, parked, given_up| DestinationLine {
        name: "second".to_owned(),
        configured,
        waiting,
        parked,
        given_up,
        ..DestinationLine::default()
    };
    assert_eq!(site.second_line().await, line(true, 2, 1, 0));

    let text =
        configuration(site.folder.path(), site.engine.address(), &[("analyzer", "generic-astm", Plug::Tcp)]);
    let without = plan(site.folder.path(), &text);
    site.gateway.reload(without.clone(), "test").await;
    let told = site.conditions().await;
    assert!(
        matches!(&told[..], [(conditions::Code::DestinationGone, next)] if next.contains("orugate destination drop second")),
        "{told:?}"
    );
    assert!(site.drop_second(" ").await.unwrap_err().contains("needs a reason"));
    let done = site.drop_second("the old LIS was sold").await.unwrap();
    assert!(
        done.starts_with("3 messages for second will not be sent, 1 of them parked; they hold 3 results."),
        "{done}"
    );
    assert_eq!(site.conditions().await, []);
    assert_eq!(site.second_line().await, line(false, 0, 0, 3));
    assert!(site.drop_second("sold").await.unwrap_err().contains("Nothing waits for second"));

    site.gateway.stop().await;
    let looked = archive::Journal::at(&site.folder.path().join("journal"), None).unwrap();
    let (archive, _) = looked.archive().unwrap();
    let became: Vec<_> = archive.messages.values().map(|message| archive.became(message)).collect();
    assert_eq!(became.len(), 3);
    let so = |became: &String| {
        became.contains("1 ORU acknowledged by engine")
            && became.contains("1 ORU for second given up by a person")
    };
    assert!(became.iter().all(so), "{became:?}");
    let gateway = Gateway::start(without, Clock::system).await.unwrap();
    let site = Site { gateway, ..site };
    assert_eq!(site.second_line().await, line(false, 0, 0, 3));
    // What is made later for one of this name goes out, and nothing else.
    site.gateway.reload(site.plan("generic-astm", ""), "test").await;
    let before = site.second.messages().len();
    site.hear(invented("S-4", EARLY, &[7])).await;
    site.second_has(0, 1).await;
    assert_eq!(site.second.messages().len(), before + 1);
    site.gateway.stop().await;
}

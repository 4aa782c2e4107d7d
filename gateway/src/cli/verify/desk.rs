//! The place where a session is held: the service that keeps what is said, and the journal that has what was sent.

use super::REFUSED;
use super::sheet::{self, Question, Sheet};
use crate::admin::{HeardView, Request, Response, VerificationView, VerifyRequest};
use crate::archive::Journal;
use crate::cli::journal::{At, ended, open};
use crate::cli::profile::Site;
use crate::cli::{service, trace};
use crate::config::Plan;
use crate::records::{Answer, Shows};
use crate::verify::{Closing, Coverage, Left, coverage};
use orugate_drivers::Catalogue;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Results that are named as not answered for; the rest is counted.
const LEFT: usize = 100;

pub(super) struct Desk<'a> {
    config: &'a Path,
    pub(super) journal: Journal,
    plan: Plan,
    site: Site,
    name: String,
    coverage: Coverage,
    /// How the session stood when the service was last asked.
    pub(super) view: VerificationView,
    messages: BTreeMap<u64, Read>,
}

/// A message as it was read when it stood so.
struct Read {
    heard: HeardView,
    sheets: Vec<Sheet>,
    left: Vec<Left>,
}

impl<'a> Desk<'a> {
    /// Takes the instrument's open session up, or begins one. What was done is said.
    pub(super) fn sit_down(
        catalogue: &Catalogue,
        config: &'a Path,
        instrument: &str,
        name: String,
        anew: bool,
    ) -> Result<Self, u8> {
        let plan = service::load_configured(catalogue, config)?.plan;
        let Some(of) = plan.instruments.iter().find(|of| of.name == instrument) else {
            let names: Vec<&str> = plan.instruments.iter().map(|of| &*of.name).collect();
            eprintln!("The configuration has no instrument {instrument}. It has: {}.", names.join(", "));
            return Err(super::USAGE);
        };
        let coverage = coverage(&*of.profile);
        let hash = of.profile_hash.to_string();
        let journal = open(catalogue, config, &At::default())?;
        let site = Site::of(catalogue, config);
        let (view, messages) = (VerificationView::default(), BTreeMap::new());
        let mut desk = Self { config, journal, plan, site, name, coverage, view, messages };
        let all = match service::ask(config, &Request::Verify(VerifyRequest::List))? {
            Response::Verifications(all) => all,
            other => return Err(service::answer(other)),
        };
        let open = all.into_iter().find(|view| view.ended.is_none() && view.scope.instrument == instrument);
        match open {
            Some(open) if anew => {
                desk.view = open;
                desk.end()?;
                println!("Verification {} is ended; it proves nothing.", desk.view.session);
            }
            Some(open) => {
                if open.scope.profile_hash != hash {
                    eprintln!(
                        "Verification {} was begun with another profile of {instrument} than is configured now. End it and begin \
                         another: orugate verify session {instrument} --anew",
                        open.session
                    );
                    return Err(REFUSED);
                }
                desk.tell(VerifyRequest::Show { session: open.session })?;
                return Ok(desk);
            }
            None => {}
        }
        let (instrument, name, wanted) = (instrument.to_owned(), desk.name.clone(), desk.coverage.wanted());
        desk.messages.clear();
        desk.tell(VerifyRequest::Begin { instrument, name, wanted })?;
        Ok(desk)
    }

    /// Tells the service, which answers how the session stands then; a refusal ends the command.
    fn tell(&mut self, request: VerifyRequest) -> Result<(), u8> {
        self.try_telling(request)?.map_err(|why| {
            eprintln!("{why}");
            REFUSED
        })
    }

    /// The same; the inner error is the service's refusal in a sentence.
    fn try_telling(&mut self, request: VerifyRequest) -> Result<Result<(), String>, u8> {
        match service::ask(self.config, &Request::Verify(request))? {
            Response::Verifications(mut views) if views.len() == 1 => {
                self.view = views.pop().unwrap_or_default();
                Ok(Ok(()))
            }
            Response::Refused(why) => Ok(Err(why)),
            other => Err(service::answer(other)),
        }
    }

    /// Sees what came since, and what was acknowledged.
    pub(super) fn look(&mut self) -> Result<(), u8> {
        self.tell(VerifyRequest::Show { session: self.view.session })?;
        self.read_messages()
    }

    fn read_messages(&mut self) -> Result<(), u8> {
        for heard in &self.view.messages {
            if self.messages.get(&heard.message).is_some_and(|read| read.heard == *heard) {
                continue;
            }
            let told = trace::of_message(&self.journal, &self.plan, &self.site, heard.message)
                .map_err(|stop| ended(Err(stop)))?;
            let (sheets, left) =
                told.map_or_else(|| (Vec::new(), vec![gone(heard.message)]), |told| sheet::of(&told, heard));
            self.messages.insert(heard.message, Read { heard: heard.clone(), sheets, left });
        }
        Ok(())
    }

    /// All that was or is to be asked, in the order of coming.
    pub(super) fn sheets(&self) -> impl Iterator<Item = &Sheet> {
        self.messages.values().flat_map(|read| &read.sheets)
    }

    /// Results that went out and that no destination has acknowledged.
    pub(super) fn waiting(&self) -> usize {
        self.sheets().flat_map(|sheet| &sheet.questions).filter(|question| !question.is_ready()).count()
    }

    /// Results that wait in holds, or waited.
    pub(super) fn held(&self) -> u32 {
        self.view.messages.iter().map(|heard| heard.held).sum()
    }

    /// Says an answer. The inner error is a refusal, in a sentence.
    pub(super) fn say(
        &mut self,
        message: u64,
        question: &Question,
        answer: Answer,
        words: &str,
    ) -> Result<Result<(), String>, u8> {
        let mut evidence = question.evidence.clone();
        words.trim().clone_into(&mut evidence.words);
        let request = VerifyRequest::Say {
            session: self.view.session,
            name: self.name.clone(),
            message,
            observation: question.observation,
            answer,
            shows: question.shows.clone(),
            evidence: evidence.encode(),
        };
        let said = self.try_telling(request)?;
        self.read_messages()?;
        Ok(said)
    }

    pub(super) fn excuse(&mut self, item: Shows, words: &str) -> Result<Result<(), String>, u8> {
        self.try_telling(VerifyRequest::Excuse {
            session: self.view.session,
            name: self.name.clone(),
            item,
            words: words.trim().to_owned(),
        })
    }

    /// Ends the session, whatever it lacks.
    pub(super) fn end(&mut self) -> Result<(), u8> {
        self.tell(VerifyRequest::Show { session: self.view.session })?;
        self.read_messages()?;
        let evidence = self.closing().encode();
        let (session, name) = (self.view.session, self.name.clone());
        self.tell(VerifyRequest::End { session, name, evidence })
    }

    fn closing(&self) -> Closing {
        let open = self.sheets().flat_map(|sheet| {
            let open = sheet.questions.iter().filter(|question| question.said.is_none());
            open.map(|question| Left {
                message: sheet.message,
                sample: sheet.sample.clone(),
                code: question.code().to_owned(),
                became: match (&sheet.qc, question.is_ready()) {
                    (Some(why), _) => format!("quality control, because {why}"),
                    (None, true) => "it was acknowledged".to_owned(),
                    (None, false) => "no destination had acknowledged it".to_owned(),
                },
            })
        });
        let others = self.messages.values().flat_map(|read| read.left.iter().cloned());
        let mut left: Vec<Left> = open.chain(others).collect();
        let more = left.len().saturating_sub(LEFT);
        left.truncate(LEFT);
        let same = |question: &&Question| question.said == Some(Answer::Same);
        let confirmed: BTreeSet<&str> =
            self.sheets().flat_map(|sheet| &sheet.questions).filter(same).map(Question::code).collect();
        let codes = self.coverage.codes().into_iter().filter(|code| !confirmed.contains(code.as_str()));
        Closing { left, more, codes: codes.take(200).collect(), strange: self.view.strange }
    }
}

fn gone(message: u64) -> Left {
    Left {
        message,
        became: "its message was given back by the journal before anybody answered for it".to_owned(),
        ..Left::default()
    }
}

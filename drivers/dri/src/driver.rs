//! The driver as the gateway's registry has it.

use crate::interpreter::{DriInterpreter, Words};
use crate::profile::{DriProfile, Plan};
use crate::session::DriSession;
use crate::simulator::Simulator;
use orugate_driver::{
    Common, Draft, Driver, Feed, Instrument, Interpreter, Profile, ProfileError, Session, SimulatedFault,
    StandIns,
};

/// The driver `dri`.
pub static DRI: Dri = Dri;

/// The driver's type; [`DRI`] is its only use.
#[derive(Clone, Copy, Debug)]
pub struct Dri;

struct Fitted {
    plan: Plan,
    words: Words,
}

impl Driver for Dri {
    fn name(&self) -> &'static str {
        "dri"
    }

    fn profile(&self, toml: &str) -> Result<Box<dyn Profile>, ProfileError> {
        let plan = Plan::read(toml)?;
        let words = Words::of(&plan);
        Ok(Box::new(Fitted { plan, words }))
    }

    fn draft(&self, _: &str, _: &[Vec<u8>]) -> Result<Draft, String> {
        Err("monitors of this interface are all alike; take the profile ge-dri and change its model".into())
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(DriProfile)
    }
}

impl Profile for Fitted {
    fn common(&self) -> &Common {
        &self.plan.common
    }

    fn session(&self, _: &Instrument) -> Box<dyn Session> {
        Box::new(DriSession::new(self.plan.settings()))
    }

    fn simulator(&self, messages: Vec<Vec<u8>>, faults: &[SimulatedFault]) -> Box<dyn Session> {
        Box::new(Simulator::new(&messages, faults))
    }

    fn example_bytes(&self, input: &str) -> Vec<u8> {
        crate::script::records(input.as_bytes()).concat()
    }

    fn interpreter(&self) -> Box<dyn Interpreter> {
        Box::new(DriInterpreter { words: self.words })
    }

    fn link(&self) -> Option<String> {
        Some(format!("dri {:?}", self.plan.settings()))
    }

    fn scrub(&self, line: &mut [u8], _: &mut StandIns) -> usize {
        crate::scrub::scrub(line)
    }

    fn feed(&self) -> Feed {
        Feed::Bedside { stale_after: self.plan.settings().silence }
    }

    fn capture_session(&self) -> Box<dyn Session> {
        Box::new(DriSession::new(self.plan.settings()))
    }
}

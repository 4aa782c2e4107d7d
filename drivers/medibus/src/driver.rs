//! The driver as the gateway's registry has it.

use crate::interpreter::MedibusInterpreter;
use crate::plan::Plan;
use crate::profile::MedibusProfile;
use crate::script;
use crate::session::MedibusSession;
use crate::simulator::Simulator;
use orugate_driver::{
    Common, Draft, Driver, Feed, Instrument, Interpreter, Profile, ProfileError, Session, SimulatedFault,
    StandIns,
};

/// The driver `medibus`.
pub static MEDIBUS: Medibus = Medibus;

/// The driver's type; [`MEDIBUS`] is its only use.
#[derive(Clone, Copy, Debug)]
pub struct Medibus;

struct Fitted {
    plan: &'static Plan,
}

impl Driver for Medibus {
    fn name(&self) -> &'static str {
        "medibus"
    }

    fn profile(&self, toml: &str) -> Result<Box<dyn Profile>, ProfileError> {
        Ok(Box::new(Fitted { plan: Plan::read(toml)? }))
    }

    fn draft(&self, _: &str, _: &[Vec<u8>]) -> Result<Draft, String> {
        Err("a MEDIBUS device says itself what it is, so the profile draeger-medibus needs no draft".into())
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(MedibusProfile)
    }
}

impl Profile for Fitted {
    fn common(&self) -> &Common {
        &self.plan.common
    }

    fn session(&self, _: &Instrument) -> Box<dyn Session> {
        Box::new(MedibusSession::live(self.plan))
    }

    fn simulator(&self, messages: Vec<Vec<u8>>, faults: &[SimulatedFault]) -> Box<dyn Session> {
        Box::new(Simulator::new(&messages, faults))
    }

    fn example_bytes(&self, input: &str) -> Vec<u8> {
        script::bytes(input.as_bytes())
    }

    fn interpreter(&self) -> Box<dyn Interpreter> {
        Box::new(MedibusInterpreter { plan: self.plan })
    }

    fn feed(&self) -> Feed {
        Feed::Bedside { stale_after: self.plan.profile.stale_after.0 }
    }

    fn link(&self) -> Option<String> {
        let MedibusProfile { driver, poll, cycle, configure, .. } = &self.plan.profile;
        Some(format!("{driver} {poll:?} {cycle:?} {configure:?}"))
    }

    fn scrub(&self, line: &mut [u8], _: &mut StandIns) -> usize {
        crate::scrub::scrub(line)
    }

    fn capture_session(&self) -> Box<dyn Session> {
        Box::new(MedibusSession::capture(self.plan))
    }
}

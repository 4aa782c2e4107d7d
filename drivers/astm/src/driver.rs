//! The driver as the gateway's registry has it.

use crate::interpreter::AstmInterpreter;
use crate::plan::Plan;
use crate::profile::AstmProfile;
use crate::session::AstmSession;
use crate::simulator::Simulator;
use orugate_driver::{
    Common, Draft, Driver, Instrument, Interpreter, Profile, ProfileError, Session, SimulatedFault, StandIns,
};

/// The driver `astm`.
pub static ASTM: Astm = Astm;

/// The driver's type; [`ASTM`] is its only use.
#[derive(Clone, Copy, Debug)]
pub struct Astm;

struct Fitted {
    plan: &'static Plan,
}

impl Driver for Astm {
    fn name(&self) -> &'static str {
        "astm"
    }

    fn profile(&self, toml: &str) -> Result<Box<dyn Profile>, ProfileError> {
        Ok(Box::new(Fitted { plan: Plan::read(toml)? }))
    }

    fn draft(&self, name: &str, captures: &[Vec<u8>]) -> Result<Draft, String> {
        crate::draft::draft(name, captures)
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(AstmProfile)
    }
}

impl Profile for Fitted {
    fn common(&self) -> &Common {
        &self.plan.common
    }

    fn session(&self, _: &Instrument) -> Box<dyn Session> {
        Box::new(AstmSession::live(self.plan))
    }

    fn simulator(&self, messages: Vec<Vec<u8>>, faults: &[SimulatedFault]) -> Box<dyn Session> {
        Box::new(Simulator::new(&self.plan.profile, &messages, faults))
    }

    fn example_bytes(&self, input: &str) -> Vec<u8> {
        crate::script::input(input.as_bytes())
    }

    fn interpreter(&self) -> Box<dyn Interpreter> {
        Box::new(AstmInterpreter { plan: self.plan })
    }

    fn link(&self) -> Option<String> {
        let AstmProfile { driver, framing, ack, link, query, .. } = &self.plan.profile;
        Some(format!("{driver} {framing:?} {ack:?} {link:?} {query:?}"))
    }

    fn scrub(&self, line: &mut [u8], stand_ins: &mut StandIns) -> usize {
        crate::scrub::scrub(self.plan, line, stand_ins)
    }

    fn capture_session(&self) -> Box<dyn Session> {
        Box::new(AstmSession::capture(self.plan))
    }
}

//! The driver as the gateway's registry has it.

use crate::interpreter::LinesInterpreter;
use crate::plan::{self, Plan};
use crate::profile::LinesProfile;
use crate::session::LinesSession;
use crate::simulator::Simulator;
use orugate_driver::{
    Common, Draft, Driver, Feed, Instrument, Interpreter, Profile, ProfileError, Session, SimulatedFault,
    StandIns,
};

/// The driver `lines`.
pub static LINES: Lines = Lines;

/// The driver's type; [`LINES`] is its only use.
#[derive(Clone, Copy, Debug)]
pub struct Lines;

struct Fitted {
    plan: &'static Plan,
}

impl Driver for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn profile(&self, toml: &str) -> Result<Box<dyn Profile>, ProfileError> {
        Ok(Box::new(Fitted { plan: Plan::read(toml)? }))
    }

    fn draft(&self, _: &str, _: &[Vec<u8>]) -> Result<Draft, String> {
        Err("a profile for printed lines is written by hand; docs/lines.md shows how, with one that works"
            .into())
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(LinesProfile)
    }
}

impl Profile for Fitted {
    fn common(&self) -> &Common {
        &self.plan.common
    }

    fn session(&self, _: &Instrument) -> Box<dyn Session> {
        Box::new(LinesSession::new(self.plan))
    }

    fn simulator(&self, messages: Vec<Vec<u8>>, faults: &[SimulatedFault]) -> Box<dyn Session> {
        Box::new(Simulator::new(self.plan, &messages, faults))
    }

    fn example_bytes(&self, input: &str) -> Vec<u8> {
        crate::script::input(input.as_bytes())
    }

    fn interpreter(&self) -> Box<dyn Interpreter> {
        Box::new(LinesInterpreter { plan: self.plan })
    }

    fn link(&self) -> Option<String> {
        // Sessions look into lines, so all of a profile is the link.
        None
    }

    fn scrub(&self, line: &mut [u8], stand_ins: &mut StandIns) -> usize {
        crate::scrub::scrub(self.plan, line, stand_ins)
    }

    fn feed(&self) -> Feed {
        match self.plan.feed {
            plan::Feed::Results => Feed::Results,
            plan::Feed::Bedside { stale_after } => Feed::Bedside { stale_after },
        }
    }

    fn capture_session(&self) -> Box<dyn Session> {
        Box::new(LinesSession::new(self.plan))
    }
}

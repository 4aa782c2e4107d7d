//! The driver as the gateway's registry has it.

use crate::bedside::BedsideInterpreter;
use crate::laboratory::LaboratoryInterpreter;
use crate::plan::{Kind, Plan};
use crate::profile::Hl7Profile;
use crate::script;
use crate::session::Hl7Session;
use crate::simulator::Simulator;
use orugate_driver::{
    Common, Draft, Driver, Feed, Instrument, Interpreter, Profile, ProfileError, Session, SimulatedFault,
    StandIns,
};

/// The driver `hl7`.
pub static HL7: Hl7 = Hl7;

/// The driver's type; [`HL7`] is its only use.
#[derive(Clone, Copy, Debug)]
pub struct Hl7;

struct Fitted {
    plan: &'static Plan,
}

impl Driver for Hl7 {
    fn name(&self) -> &'static str {
        "hl7"
    }

    fn profile(&self, toml: &str) -> Result<Box<dyn Profile>, ProfileError> {
        Ok(Box::new(Fitted { plan: Plan::read(toml)? }))
    }

    fn draft(&self, _: &str, _: &[Vec<u8>]) -> Result<Draft, String> {
        Err("what HL7 messages mean is in the standard; begin with the profile hl7-pcd01 or hl7-oul-r22"
            .into())
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Hl7Profile)
    }
}

impl Profile for Fitted {
    fn common(&self) -> &Common {
        &self.plan.common
    }

    fn session(&self, _: &Instrument) -> Box<dyn Session> {
        Box::new(Hl7Session::new(self.plan))
    }

    fn simulator(&self, messages: Vec<Vec<u8>>, faults: &[SimulatedFault]) -> Box<dyn Session> {
        Box::new(Simulator::new(&messages, faults))
    }

    fn example_bytes(&self, input: &str) -> Vec<u8> {
        script::bytes(input.as_bytes())
    }

    fn interpreter(&self) -> Box<dyn Interpreter> {
        match &self.plan.kind {
            Kind::Bedside(bedside) => Box::new(BedsideInterpreter { plan: self.plan, bedside }),
            Kind::Laboratory(laboratory, rules) => {
                Box::new(LaboratoryInterpreter { plan: self.plan, laboratory, rules })
            }
        }
    }

    fn feed(&self) -> Feed {
        match &self.plan.kind {
            Kind::Bedside(bedside) => Feed::Bedside { stale_after: bedside.stale_after.0 },
            Kind::Laboratory(..) => Feed::Results,
        }
    }

    fn link(&self) -> Option<String> {
        let Hl7Profile { driver, message_max, .. } = &self.plan.profile;
        Some(format!("{driver} {message_max}"))
    }

    fn scrub(&self, line: &mut [u8], stand_ins: &mut StandIns) -> usize {
        crate::scrub::scrub(line, stand_ins)
    }

    fn capture_session(&self) -> Box<dyn Session> {
        Box::new(Hl7Session::new(self.plan))
    }
}

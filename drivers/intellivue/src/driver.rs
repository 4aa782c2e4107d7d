//! The driver as the gateway's registry has it.

use crate::interpreter::IntellivueInterpreter;
use crate::profile::{IntellivueProfile, Plan};
use crate::session::IntellivueSession;
use orugate_driver::{
    Beacon, Common, Draft, Driver, Feed, Instrument, Interpreter, Profile, ProfileError, Session,
    SimulatedFault,
};

/// The driver `intellivue`.
pub static INTELLIVUE: Intellivue = Intellivue;

/// The driver's type; [`INTELLIVUE`] is its only use.
#[derive(Clone, Copy, Debug)]
pub struct Intellivue;

struct Fitted {
    plan: Plan,
}

impl Driver for Intellivue {
    fn name(&self) -> &'static str {
        "intellivue"
    }

    fn profile(&self, toml: &str) -> Result<Box<dyn Profile>, ProfileError> {
        crate::table::ready();
        Ok(Box::new(Fitted { plan: Plan::read(toml)? }))
    }

    fn draft(&self, _: &str, _: &[Vec<u8>]) -> Result<Draft, String> {
        Err("monitors of this interface are all alike; take the profile philips-intellivue or philips-intellivue-mib".into())
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(IntellivueProfile)
    }

    fn beacon(&self) -> Option<Beacon> {
        Some(crate::announce::BEACON)
    }
}

impl Profile for Fitted {
    fn common(&self) -> &Common {
        &self.plan.common
    }

    fn session(&self, _: &Instrument) -> Box<dyn Session> {
        Box::new(IntellivueSession::new(self.plan.settings))
    }

    fn simulator(&self, messages: Vec<Vec<u8>>, faults: &[SimulatedFault]) -> Box<dyn Session> {
        Box::new(crate::simulator::Simulator::new(self.plan.settings, &messages, faults))
    }

    fn example_bytes(&self, input: &str) -> Vec<u8> {
        crate::script::bytes(self.plan.settings, input)
    }

    fn interpreter(&self) -> Box<dyn Interpreter> {
        Box::new(IntellivueInterpreter { stale_after: self.plan.stale_after })
    }

    fn feed(&self) -> Feed {
        Feed::Bedside { stale_after: self.plan.stale_after }
    }

    fn link(&self) -> Option<String> {
        Some(format!("intellivue {:?}", self.plan.settings))
    }

    fn scrub(&self, line: &mut [u8], stand_ins: &mut orugate_driver::StandIns) -> usize {
        crate::scrub::scrub(line, stand_ins)
    }

    fn capture_session(&self) -> Box<dyn Session> {
        Box::new(IntellivueSession::new(self.plan.settings))
    }
}

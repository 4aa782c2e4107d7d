//! Why results wait for a person: the one list of reasons, each with its code, its words and its way out.
//!
//! Promises that whoever shows a hold (log, `orugate holds`, docs/holds.md) says the same of its reason, and that a reason
//! which the journal has and this list does not is shown all the same, with what helps in any case. Leaves out when
//! each reason arises: that is [`facts`](super::facts), `decide` and the interpretation thread.

use std::fmt::Write as _;

/// What a person's release does to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It sends the results all the same: the person knows better than the rule.
    Overrules,
    /// As [`Overrules`](Self::Overrules), but first something is corrected, and then a redrive sends them.
    Corrects,
    /// It sends the results under the sample id that the person enters.
    NeedsSample,
    /// Either: with another sample id, or under the one that the rule refuses.
    TakesSample,
    /// It only interprets the message again: something must be corrected before. A redrive does the same.
    Again,
    /// It interprets the message again and sends what it can; a redrive does not: nobody knows whether it was sent before.
    Decides,
}

macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident = $code:literal, $whose:literal, $way:ident, $happened:literal, $fix:literal;)+) => {
        /// Why an observation waits for a person. New ones stand at the end; docs/holds.md has a row for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum HoldReason {
            /// The record structure cannot be told; what exactly, and what to do, in sentences.
            Structure(&'static str),
            $($(#[$doc])+ $name,)+
        }

        impl HoldReason {
            /// Each of them, once.
            pub const ALL: &[Self] = &[Self::Structure(ANY_STRUCTURE), $(Self::$name,)+];

            /// The machine's word for it.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    Self::Structure(_) => "structure",
                    $(Self::$name => $code,)+
                }
            }

            /// What happened and what to do, for people.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self {
                    Self::Structure(what) => what,
                    $(Self::$name => concat!($happened, " ", $fix),)+
                }
            }

            /// What to do.
            #[must_use]
            pub const fn fix(self) -> &'static str {
                match self {
                    Self::Structure(_) => STRUCTURE_FIX,
                    $(Self::$name => $fix,)+
                }
            }

            /// Whose doing it most likely is.
            #[must_use]
            pub const fn whose(self) -> &'static str {
                match self {
                    Self::Structure(_) => "the instrument, or its profile",
                    $(Self::$name => $whose,)+
                }
            }

            /// What a release does.
            #[must_use]
            pub const fn way(self) -> Way {
                match self {
                    Self::Structure(_) => Way::Again,
                    $(Self::$name => Way::$way,)+
                }
            }
        }
    };
}

const ANY_STRUCTURE: &str = "The structure of the message cannot be told.";
const STRUCTURE_FIX: &str =
    "Compare with the instrument's screen. Correct the profile, then redrive; or discard.";

reasons! {
    /// No sample id in any place where the profile looks.
    NoSampleId = "no-sample-id", "the laboratory", NeedsSample,
        "The message has no sample id.",
        "Find the tube by the instrument's list, then release with --sample ID.";
    /// A byte that the profile's charset does not have.
    Undecodable = "undecodable", "the profile", Again,
        "A byte is not of the profile's character set.",
        "Correct `charset` in the profile, orugate reload, then redrive.";
    /// The driver failed on this message.
    DriverFault = "driver-fault", "this software", Again,
        "The driver failed on this message; the raw bytes are kept.",
        "Send them to the maker, redrive after an update.";
    /// A status that cannot be reported as anything.
    UnknownStatus = "unknown-status", "the instrument, or its profile", Again,
        "The result status is none that LIS02 has.",
        "Look at the instrument's screen. Correct `status` in the profile, then redrive; or discard.";
    /// The order is marked as cancelled and has results all the same.
    Cancelled = "cancelled", "the laboratory", Overrules,
        "The order is marked as cancelled and has results all the same.",
        "Ask the laboratory; release or discard.";
    /// A correction, and a destination wants a person to decide.
    Correction = "correction", "nobody: the site wants to be asked", Overrules,
        "A correction of a sent result, and a destination holds corrections.",
        "Decide; release or discard.";
    /// No destination of this instrument may get it.
    NoDestination = "no-destination", "the configuration", Again,
        "No destination of this instrument accepts its mode.",
        "Correct `send_to`, `mode` or `accepts`, orugate reload, then redrive.";
    /// The sample id is longer than HL7 can carry.
    SampleIdTooLong = "sample-id-too-long", "the instrument, or its profile", NeedsSample,
        "The sample id is longer than 199 characters.",
        "Look at the instrument; release with --sample ID, or discard.";
    /// More results or orders in one message than this gateway takes.
    TooLarge = "too-large", "this software", Again,
        "More than 65,536 results or 4,096 orders in one message, or more than one batch of the journal takes.",
        "Send the message to the maker; have the instrument send its results in smaller messages.";
    /// The ORU did not fit or could not be written.
    Unwritable = "unwritable", "this software", Again,
        "No ORU could be written of it.",
        "Send the message to the maker, redrive after an update.";
    /// The sample id is not as the site's sample ids are.
    SampleIdRule = "sample-id-rule", "the laboratory", TakesSample,
        "The sample id breaks the rule that `sample_id` of this instrument gives: its form or its check digit is wrong.",
        "Read the tube: release with --sample ID when the instrument has another id than the label; release as it is when \
         they are the same; correct the rule and redrive when the rule is wrong.";
    /// Another instrument than the one that the site pinned.
    OtherInstrument = "other-instrument", "whoever plugged the cable", Overrules,
        "The message is not from the instrument that `identity` names, or does not say from which: cables may be swapped.",
        "Look at both instruments' cables. Discard what came over the wrong one and transmit it again; after a repair that \
         changed the instrument, correct `identity` and redrive.";
    /// A result time that cannot be true.
    ImpossibleTime = "impossible-time", "the instrument's clock, or this box's", Overrules,
        "The time of the result cannot be true: it is before 2000, or too far from the time at which it was received.",
        "Compare the clock on the instrument's screen, and this box's (timedatectl), with a watch. If the instrument's is wrong, \
         set it, transmit the result again and discard this one. If this box's is, set it and release: the time as it is goes \
         out.";
    /// The transmission broke off, and the site wants such messages whole.
    Incomplete = "incomplete", "the line", Overrules,
        "The transmission broke off, so results may be missing, and `incomplete` of this instrument says to hold it.",
        "Transmit it again from the instrument: a whole copy settles this hold by itself. Or release what came.";
    /// A value under a status that says there is none: which of the two is wrong, only the instrument knows.
    PendingValue = "pending-with-value", "the instrument, or its profile", Again,
        "The result has a value, but its status says that there is none.",
        "Compare with the instrument's screen. Correct `status` in the profile, then redrive; or discard.";
    /// The sample id is as a control's would be, without evidence.
    SuspectedControl = "suspected-control", "the instrument, or its profile", Overrules,
        "The sample's id or material, or the patient's id or name, reads like a control's or a calibrator's, but nothing in the message \
         says that it is one.",
        "If a patient's sample was in the tube, release; else discard, and name what marks controls under `qc` in the profile.";
    /// The configuration in force does not have its instrument.
    Unconfigured = "unconfigured", "the configuration", Again,
        "The configuration no longer names this instrument.",
        "Add it again, orugate reload, then redrive; or discard.";
    /// A stored piece is lost, or what became of it is.
    JournalDamage = "journal-damage", "the disk", Decides,
        "The journal was damaged: a stored piece of this message cannot be read back, or what became of it is not known.",
        "Compare with the laboratory's system. Send the sample again from the instrument and discard, or release; what else is \
         touched: orugate journal verify.";
    /// The profile is only described, and nobody has compared what was sent with this analyzer's screen.
    Unproven = "unproven", "whoever connected the analyzer", Again,
        "The profile is only described, and no verification in the journal is of it with this analyzer.",
        "Look whether the cable leads to the right one. If so, mode = \"test\", orugate reload, orugate verify session, mode = \
         \"live\", orugate reload, then redrive.";
    /// Another run of the test on the same specimen, and the instrument's `reruns` holds those.
    Rerun = "rerun", "nobody: the site wants to be asked", Overrules,
        "The specimen was run more than once, and `reruns` of this instrument says to ask which run counts.",
        "Compare with the instrument's screen; release the run that counts, discard the other.";
    /// The unit is another one than the map expects for this test.
    UnitDiffers = "unit-differs", "the instrument's settings, or the map", Corrects,
        "The unit is another one than the instrument's map expects, or there is none, so the value may be of another magnitude.",
        "Look at the instrument's screen. Correct the map (orugate map show INSTRUMENT), orugate reload, then redrive; or set the \
         instrument's unit right, transmit again and discard. A release sends it with the instrument's code alone, without LOINC.";
    /// No row of the instrument's maps is for this test, and the site wants one for each.
    UnmappedCode = "unmapped-code", "the map", Corrects,
        "No map of the instrument has a row for the test, and `require_map` is true.",
        "Add the row (docs/maps.md), orugate reload, then redrive. A release sends it with the instrument's code alone, without \
         LOINC.";
}

impl HoldReason {
    /// The reason that a code in the journal names. Another version may have written one that is not here.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }

    /// It is about the message as a whole: there is one hold for it, not one for each order.
    #[must_use]
    pub const fn is_of_message(self) -> bool {
        matches!(self, Self::OtherInstrument | Self::Incomplete)
    }

    /// A release may bring another sample id.
    #[must_use]
    pub const fn takes_sample(self) -> bool {
        matches!(self.way(), Way::NeedsSample | Way::TakesSample)
    }

    /// docs/holds.md has this table.
    #[must_use]
    pub fn table() -> String {
        let mut table =
            "| code | what happened, and what to do | whose doing | the command |\n|---|---|---|---|\n"
                .to_owned();
        for reason in Self::ALL {
            let sentence = match reason {
                Self::Structure(what) => format!("{what} {STRUCTURE_FIX}"),
                _ => reason.sentence().to_owned(),
            };
            let commands = commands(reason.code(), "HOLD");
            let first = commands.first().map_or("", |command| command);
            let _ = writeln!(table, "| `{}` | {sentence} | {} | `{first}` |", reason.code(), reason.whose());
        }
        table
    }
}

/// What can be typed about a hold with this reason; the likeliest first.
#[must_use]
pub fn commands(code: &str, hold: &str) -> Vec<String> {
    let release = format!("orugate holds release {hold}");
    let sample = format!("orugate holds release {hold} --sample ID");
    let redrive = format!("orugate holds redrive {hold}");
    let mut all = match HoldReason::of(code).map(HoldReason::way) {
        Some(Way::NeedsSample) => vec![sample],
        Some(Way::TakesSample) => vec![sample, release, redrive],
        Some(Way::Overrules) => vec![release, redrive],
        Some(Way::Corrects) => vec![redrive, release],
        Some(Way::Decides) => vec![release],
        Some(Way::Again) | None => vec![redrive],
    };
    all.push(format!("orugate holds discard {hold} --reason \"…\""));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_code_of_its_own_and_whole_sentences() {
        let codes: BTreeSet<&str> = HoldReason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), HoldReason::ALL.len());
        for reason in HoldReason::ALL {
            for sentence in [reason.sentence(), reason.fix()] {
                assert!(sentence.ends_with('.') && !sentence.contains("  "), "{sentence}");
            }
            assert_eq!(HoldReason::of(reason.code()).map(HoldReason::code), Some(reason.code()));
            assert!(commands(reason.code(), "7").len() > 1, "{reason:?}");
        }
        assert_eq!(commands("of-a-later-version", "7").first().unwrap(), "orugate holds redrive 7");
    }

    #[test]
    fn the_manual_has_the_list() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/holds.md");
        let manual = std::fs::read_to_string(file).unwrap();
        let (begin, end) = ("<!-- reasons: made from the program -->\n", "<!-- end of the reasons -->\n");
        let (before, rest) = manual.split_once(begin).unwrap();
        let (there, after) = rest.split_once(end).unwrap();
        let table = HoldReason::table();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(file, [before, begin, &table, end, after].concat()).unwrap();
        } else {
            assert_eq!(there, table, "UPDATE_EXPECT=1 writes it anew");
        }
    }
}

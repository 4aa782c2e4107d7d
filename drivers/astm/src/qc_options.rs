//! What marks quality control, calibration and the like, as a profile says it.
//!
//! Promises and defaults are those of the [`profile`](crate::profile) that this table is part of. Leaves out LIS02's own
//! marks, which always count.

use crate::place::Place;
use orugate_driver::QcProof;
use serde::Deserialize;

/// What marks quality control; H.12 and O.12 = Q, and H.12 = T or D, always count.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QcRules {
    /// How it is proven that the model marks its controls so; `orugate check` says when nothing does.
    pub proof: QcProof,
    /// Beginnings of sample ids.
    pub sample_prefixes: Vec<String>,
    /// Ends of sample ids.
    pub sample_suffixes: Vec<String>,
    /// Values of O.16.1, exactly.
    pub descriptors: Vec<String>,
    /// Texts of comments on the order or on a result of it, exactly.
    pub comments: Vec<String>,
    /// Texts in other places.
    pub mark: Vec<QcMark>,
    /// Beginnings of sample ids and patients' ids, whatever the case of their letters, that may be a control's: such results
    /// are held, and a person says what was in the tube. Without this: QC, CTRL, CNTL, CONTROL, KONTROLL, CALIB, KALIB,
    /// CAL-, BLANK, LEVEL and names of control materials, or an end such as `_NEG`, `_POS`, `_LOPOS`, `-QC`; a patient's name or a
    /// material (O.16.1) that is such a word counts as well. `[]` is none.
    pub suspects: Option<Vec<String>>,
}

/// A place with a text that no patient's sample has there.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QcMark {
    /// In H, for the whole message, or in P or O.
    pub place: Place,
    /// The texts, exactly.
    #[serde(default)]
    pub is: Vec<String>,
    /// Their beginnings.
    #[serde(default)]
    pub begins: Vec<String>,
}

//! The section `[fault_limits]` of the configuration.

use serde::Deserialize;

use crate::faults::Rule;

/// Bounds of the faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultLimits {
    /// Most rules at the same time, those of the configuration included. 1 to 10,000.
    pub rules_max: usize,
    /// Most bytes of frames that faults hold back, over all sessions. 1,024 to 1 GiB.
    pub held_bytes_max: usize,
}

impl Default for FaultLimits {
    fn default() -> Self {
        Self { rules_max: 64, held_bytes_max: 16_777_216 }
    }
}

impl FaultLimits {
    /// Checks the ranges, and the number of rules of the configuration.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub fn validate(&self, rules: &[Rule]) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { rules_max: 0 | 10_001.., .. } => Err(("fault_limits.rules_max", "must be 1 to 10000")),
            Self { held_bytes_max: ..1_024 | 1_073_741_825.., .. } => {
                Err(("fault_limits.held_bytes_max", "must be 1024 to 1073741824"))
            }
            Self { rules_max, .. } if rules.len() > *rules_max => {
                Err(("faults", "has more rules than fault_limits.rules_max"))
            }
            Self { .. } => Ok(()),
        }
    }
}

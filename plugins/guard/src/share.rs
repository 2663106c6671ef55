//! A share of a whole.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number from 0 to 1: `0.2` is 20 %.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

impl Share {
    pub(crate) const HALF: Self = Self(0.5);

    /// Whether `part` of `whole` exceeds this share. Any part of nothing does.
    pub(crate) fn is_exceeded(self, part: u64, whole: u64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and no site has as many objects")]
        let (part, whole) = (part as f64, whole as f64);
        part > self.0 * whole
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("invalid share `{number}`; use a number from 0 to 1, such as 0.2 for 20 %"))
        }
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

//! A point in time, written as RFC 3339.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::sanitize::sanitize_name;

/// A point in time after 1970, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

/// An invalid timestamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid timestamp `{0}`; use RFC 3339, such as `2026-11-25T12:00:00Z`")]
pub struct TimestampError(String);

impl Timestamp {
    /// A timestamp from milliseconds since the Unix epoch.
    #[must_use]
    pub fn from_milliseconds(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let instant: Option<jiff::Timestamp> = text.parse().ok();
        let milliseconds = instant.and_then(|instant| u64::try_from(instant.as_millisecond()).ok());
        milliseconds.map(Self).ok_or_else(|| TimestampError(sanitize_name(text)))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;
    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(instant: Timestamp) -> Self {
        instant.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = i64::try_from(self.0).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        match instant {
            Some(instant) => instant.fmt(f),
            // Beyond the range of the calendar.
            None => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_services_write() {
        let read = |text: &str| text.parse::<Timestamp>().map(Timestamp::milliseconds);
        assert_eq!(read("1970-01-01T00:00:01.5Z"), Ok(1_500));
        assert_eq!(read("2015-05-05T19:45:15-04:00"), read("2015-05-05T23:45:15Z"));
        assert_eq!(Timestamp(1_500).to_string().parse(), Ok(Timestamp(1_500)));
        for bad in ["", "yesterday", "2015-05-05", "1969-12-31T23:59:59Z", "2015-05-05T19:45:15"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}

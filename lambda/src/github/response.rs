//! What an answer of GitHub asks of whoever asked: to read it, to go elsewhere, to come later, or to give up.
//!
//! Owns these rules. Source: GitHub documentation, "Rate limits for the REST API" and "Best practices for using the REST API".

use serde::Deserialize;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::Timestamp;

/// How long to wait where GitHub limits and does not say for how long, in seconds.
const UNTOLD_WAIT: u64 = 60;

/// What of an answer decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnswerHead<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `location`.
    pub location: Option<&'a str>,
    /// `retry-after`, in seconds.
    pub retry_after: Option<&'a str>,
    /// `x-ratelimit-remaining`.
    pub remaining: Option<&'a str>,
    /// `x-ratelimit-reset`, in seconds since 1970.
    pub reset: Option<&'a str>,
    /// `link`, which tells whether a list goes on.
    pub link: Option<&'a str>,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerMeaning {
    /// It is the answer.
    Here,
    /// It is at another address.
    Moved(String),
    /// There were too many requests: so many seconds must pass.
    Limited(u64),
    /// GitHub fails at the moment.
    Failing,
    /// It is refused, and will be the next time.
    Refused,
}

impl AnswerHead<'_> {
    /// Whether a list goes on. The next page is asked for by its number, never by an address that an answer names.
    #[must_use]
    pub fn next_page(&self) -> bool {
        self.link.is_some_and(|link| link.split(',').any(|one| one.contains("rel=\"next\"")))
    }

    /// What it means at an instant.
    #[must_use]
    pub fn meaning(&self, now: Timestamp) -> AnswerMeaning {
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok());
        match self.status {
            200..=299 => AnswerMeaning::Here,
            301 | 302 | 303 | 307 | 308 => {
                self.location.map_or(AnswerMeaning::Refused, |location| AnswerMeaning::Moved(location.to_owned()))
            }
            // A token that may not read something is refused with 403 as well, without these headers.
            403 | 429 => {
                let after = number(self.retry_after);
                let used_up = number(self.remaining) == Some(0);
                let reset = number(self.reset).filter(|_| used_up);
                let until = reset.map(|at| at.saturating_sub(now.milliseconds() / 1000).saturating_add(1));
                match after.or(until) {
                    Some(seconds) => AnswerMeaning::Limited(seconds),
                    None if used_up || self.status == 429 => AnswerMeaning::Limited(UNTOLD_WAIT),
                    None => AnswerMeaning::Refused,
                }
            }
            408 | 500 | 502 | 503 | 504 => AnswerMeaning::Failing,
            _ => AnswerMeaning::Refused,
        }
    }
}

/// Why GitHub refused, in its own words, where it has some.
#[must_use]
pub fn refusal(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    serde_json::from_slice::<Told>(body).ok().map(|told| sanitize_name(&told.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_say_what_to_do() {
        let now = Timestamp::from_milliseconds(1_000_000);
        let head = |status| AnswerHead { status, ..AnswerHead::default() };
        for (head, meaning) in [
            (head(200), AnswerMeaning::Here),
            (head(201), AnswerMeaning::Here),
            (AnswerHead { location: Some("https://x/"), ..head(302) }, AnswerMeaning::Moved("https://x/".to_owned())),
            (head(302), AnswerMeaning::Refused),
            (head(304), AnswerMeaning::Refused),
            (head(401), AnswerMeaning::Refused),
            (head(403), AnswerMeaning::Refused),
            (AnswerHead { remaining: Some("12"), reset: Some("1060"), ..head(403) }, AnswerMeaning::Refused),
            (AnswerHead { remaining: Some("0"), reset: Some("1060"), ..head(403) }, AnswerMeaning::Limited(61)),
            (AnswerHead { remaining: Some("0"), reset: Some("900"), ..head(403) }, AnswerMeaning::Limited(1)),
            (AnswerHead { remaining: Some("0"), ..head(403) }, AnswerMeaning::Limited(60)),
            (AnswerHead { retry_after: Some("7"), ..head(403) }, AnswerMeaning::Limited(7)),
            (
                AnswerHead { retry_after: Some("7"), remaining: Some("0"), reset: Some("1060"), ..head(429) },
                AnswerMeaning::Limited(7),
            ),
            (head(429), AnswerMeaning::Limited(60)),
            (AnswerHead { retry_after: Some("soon"), ..head(429) }, AnswerMeaning::Limited(60)),
            (head(404), AnswerMeaning::Refused),
            (head(410), AnswerMeaning::Refused),
            (head(502), AnswerMeaning::Failing),
        ] {
            assert_eq!(head.meaning(now), meaning, "{head:?}");
        }
    }

    #[test]
    fn refusals_are_told_in_one_line() {
        assert_eq!(refusal(b"{\"message\":\"Bad\\ncredentials\"}").unwrap(), "Bad\\ncredentials");
        assert_eq!(refusal(b"<html>"), None);
    }
}

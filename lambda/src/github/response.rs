//! What a response of GitHub means for the client: read it, follow it, retry later, or give up.
//!
//! Source: GitHub documentation, "Rate limits for the REST API" and "Best practices for using the REST API".

use serde::Deserialize;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::Timestamp;

/// How long to wait when GitHub limits requests without saying for how long, in seconds.
const DEFAULT_WAIT: u64 = 60;

/// The parts of a response's head that matter here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ResponseHead<'a> {
    /// The HTTP status.
    pub(super) status: u16,
    /// `location`.
    pub(super) location: Option<&'a str>,
    /// `retry-after`, in seconds.
    pub(super) retry_after: Option<&'a str>,
    /// `x-ratelimit-remaining`.
    pub(super) remaining: Option<&'a str>,
    /// `x-ratelimit-reset`, in seconds since 1970.
    pub(super) reset: Option<&'a str>,
    /// `link`, which names the next page of a list.
    pub(super) link: Option<&'a str>,
}

/// What a response means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResponseMeaning {
    /// It is the answer.
    Success,
    /// The answer is at another address.
    Redirect(String),
    /// There were too many requests: wait this many seconds.
    RateLimited(u64),
    /// GitHub fails temporarily.
    ServerError,
    /// The request is refused, and a retry would be, too.
    Refused,
}

impl ResponseHead<'_> {
    /// Whether the list has a next page. The client requests it by number, never by an address from a response.
    pub(super) fn has_next_page(&self) -> bool {
        self.link.is_some_and(|link| link.split(',').any(|part| part.contains("rel=\"next\"")))
    }

    /// What the response means at a time.
    pub(super) fn meaning(&self, now: Timestamp) -> ResponseMeaning {
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok());
        match self.status {
            200..=299 => ResponseMeaning::Success,
            301 | 302 | 303 | 307 | 308 => self
                .location
                .map_or(ResponseMeaning::Refused, |location| ResponseMeaning::Redirect(location.to_owned())),
            // A token without the permission gets a 403, too, but without these headers.
            403 | 429 => {
                let retry_after = number(self.retry_after);
                let exhausted = number(self.remaining) == Some(0);
                let reset = number(self.reset).filter(|_| exhausted);
                let until_reset = reset.map(|at| at.saturating_sub(now.milliseconds() / 1000).saturating_add(1));
                match retry_after.or(until_reset) {
                    Some(seconds) => ResponseMeaning::RateLimited(seconds),
                    None if exhausted || self.status == 429 => ResponseMeaning::RateLimited(DEFAULT_WAIT),
                    None => ResponseMeaning::Refused,
                }
            }
            408 | 500 | 502 | 503 | 504 => ResponseMeaning::ServerError,
            _ => ResponseMeaning::Refused,
        }
    }
}

/// GitHub's own message in the body of a refusal.
pub(super) fn refusal_message(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    serde_json::from_slice::<Refusal>(body).ok().map(|refusal| sanitize_name(&refusal.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classifies_responses() {
        let now = Timestamp::from_milliseconds(1_000_000);
        let head = |status| ResponseHead { status, ..ResponseHead::default() };
        for (head, meaning) in [
            (head(200), ResponseMeaning::Success),
            (head(201), ResponseMeaning::Success),
            (
                ResponseHead { location: Some("https://x/"), ..head(302) },
                ResponseMeaning::Redirect("https://x/".to_owned()),
            ),
            (head(302), ResponseMeaning::Refused),
            (head(304), ResponseMeaning::Refused),
            (head(401), ResponseMeaning::Refused),
            (head(403), ResponseMeaning::Refused),
            (ResponseHead { remaining: Some("12"), reset: Some("1060"), ..head(403) }, ResponseMeaning::Refused),
            (ResponseHead { remaining: Some("0"), reset: Some("1060"), ..head(403) }, ResponseMeaning::RateLimited(61)),
            (ResponseHead { remaining: Some("0"), reset: Some("900"), ..head(403) }, ResponseMeaning::RateLimited(1)),
            (ResponseHead { remaining: Some("0"), ..head(403) }, ResponseMeaning::RateLimited(60)),
            (ResponseHead { retry_after: Some("7"), ..head(403) }, ResponseMeaning::RateLimited(7)),
            (
                ResponseHead { retry_after: Some("7"), remaining: Some("0"), reset: Some("1060"), ..head(429) },
                ResponseMeaning::RateLimited(7),
            ),
            (head(429), ResponseMeaning::RateLimited(60)),
            (ResponseHead { retry_after: Some("soon"), ..head(429) }, ResponseMeaning::RateLimited(60)),
            (head(404), ResponseMeaning::Refused),
            (head(410), ResponseMeaning::Refused),
            (head(502), ResponseMeaning::ServerError),
        ] {
            assert_eq!(head.meaning(now), meaning, "{head:?}");
        }
    }

    #[test]
    fn escapes_the_message_of_a_refusal() {
        assert_eq!(refusal_message(b"{\"message\":\"Bad\\ncredentials\"}").unwrap(), "Bad\\ncredentials");
        assert_eq!(refusal_message(b"<html>"), None);
    }
}

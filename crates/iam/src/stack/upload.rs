//! Which objects start the function: for each place of the configuration the names that close a build, and no others as far as
//! S3 and EventBridge can tell.
//!
//! Owns the patterns. What an object then publishes is `tidegate-lambda`'s to say, which sees the whole name: a filter of S3 cannot
//! say "directly below", so a zip deep in a folder starts the function, which leaves it alone.
//! Sources: Amazon S3 user guide, "Configuring event notifications using object key name filtering"; Amazon EventBridge user guide,
//! "Comparison operators for use in event patterns" and "Using wildcards in event patterns".

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};
use tidegate_core::config::{Config, Site, SiteName};
use tidegate_core::iam_name::{MAX_NAME, fitted};
use tidegate_core::location::{Bucket, Location, Source};
use tidegate_core::staged_build::READY_MARKER;

/// Endings of a zip. Whoever writes `.Zip` publishes by hand or by a webhook: each ending counts against what S3 takes.
const ZIPS: [&str; 2] = [".zip", ".ZIP"];

/// Longest description of a rule, in characters.
const MAX_DESCRIPTION: usize = 512;

/// What stays as it is in a key of an event and in a filter.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'*');

/// Uploads to one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UploadTrigger {
    /// The bucket.
    pub bucket: Bucket,
    /// Where in it.
    #[serde(flatten)]
    place: WatchedBucket,
    /// Sites that are published by it.
    pub sites: Vec<SiteName>,
}

/// Which objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum WatchedBucket {
    /// This one: `staged`.
    Object(String),
    /// What closes builds below this prefix: `builds`.
    Builds(String),
}

/// Names of objects, as narrow as a filter can say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum KeyPattern {
    /// One name.
    Exactly(String),
    /// Every name that begins and ends so, with something between.
    Between(String, &'static str),
}

impl KeyPattern {
    /// Begin and end, for a filter of S3: special characters are written as in a key of an event.
    #[must_use]
    pub fn filter(&self) -> (String, String) {
        match self {
            // A filter knows no whole names; nothing else begins and ends with all of it, but for what lies within it as a folder.
            Self::Exactly(key) => (encoded(key), encoded(key.rsplit('/').next().unwrap_or(key))),
            Self::Between(prefix, suffix) => (encoded(prefix), (*suffix).to_owned()),
        }
    }

    /// The forms in which EventBridge may show it: nobody says whether its keys are encoded.
    fn matchers(&self) -> Vec<Value> {
        let forms = |text: &str| {
            let encoded = encoded(text);
            if encoded == text { vec![encoded] } else { vec![text.to_owned(), encoded] }
        };
        match self {
            Self::Exactly(key) => forms(key).into_iter().map(Value::String).collect(),
            Self::Between(prefix, suffix) => {
                let literal = |text: &str| text.replace('\\', "\\\\").replace('*', "\\*");
                let all = forms(prefix).into_iter();
                all.map(|prefix| json!({ "wildcard": format!("{}*{suffix}", literal(&prefix)) })).collect()
            }
        }
    }
}

/// As S3 writes keys into notifications: a space is `+`, everything special has its number.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string().replace("%20", "+")
}

impl UploadTrigger {
    /// Names of the objects.
    #[must_use]
    pub fn patterns(&self) -> Vec<KeyPattern> {
        match &self.place {
            WatchedBucket::Object(key) => vec![KeyPattern::Exactly(key.clone())],
            WatchedBucket::Builds(prefix) => {
                let zips = ZIPS.into_iter().map(|end| KeyPattern::Between(prefix.clone(), end));
                zips.chain([KeyPattern::Between(prefix.clone(), "/.ready")]).collect()
            }
        }
    }

    /// A name for it beside the others of the function.
    #[must_use]
    pub fn name(&self, function: &str) -> String {
        let site = self.sites.first().map(SiteName::as_str).unwrap_or_default();
        fitted(&format!("{function}-{site}-{}", self.kind()), MAX_NAME)
    }

    /// `staged`, `builds`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.place {
            WatchedBucket::Object(_) => "staged",
            WatchedBucket::Builds(_) => "builds",
        }
    }

    /// What it publishes, a sentence without its full stop.
    #[must_use]
    pub fn what(&self) -> String {
        let sites: Vec<&str> = self.sites.iter().map(SiteName::as_str).collect();
        format!("Uploads that publish {}", sites.join(", "))
    }

    /// [`Self::what`], as long as AWS takes a description. Source: EventBridge API reference, `PutRule`.
    pub(super) fn described(&self) -> String {
        let what = self.what();
        if what.len() <= MAX_DESCRIPTION { what } else { format!("Uploads that publish {} sites", self.sites.len()) }
    }

    /// The pattern of events for a rule of EventBridge.
    #[must_use]
    pub fn event_pattern(&self) -> Value {
        let keys: Vec<Value> = self.patterns().iter().flat_map(KeyPattern::matchers).collect();
        json!({
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": { "bucket": { "name": [self.bucket.as_str()] }, "object": { "key": keys } },
        })
    }
}

/// The place in which uploads publish a site, in S3.
fn places(site: &Site) -> impl Iterator<Item = (Bucket, WatchedBucket)> + '_ {
    let marker = |place: &Location| (place.bucket.clone(), WatchedBucket::Object(place.prefix.join(READY_MARKER)));
    let staged = match &site.staged {
        Some(Source::Prefix(place)) => Some(marker(place)),
        Some(Source::Object(object)) => {
            Some((object.bucket.clone(), WatchedBucket::Object(object.key.as_str().to_owned())))
        }
        Some(Source::Directory(_) | Source::Archive(_) | Source::Release(_)) | None => None,
    };
    let builds =
        site.builds.as_ref().map(|place| (place.bucket.clone(), WatchedBucket::Builds(place.prefix.to_string())));
    staged.into_iter().chain(builds).filter(|_| site.publishes_on_upload())
}

/// Each place once: sites that share one are published by one and the same event.
pub(super) fn uploads(config: &Config) -> Vec<UploadTrigger> {
    let mut uploads: Vec<UploadTrigger> = Vec::new();
    for site in &config.sites {
        for (bucket, place) in places(site) {
            match uploads.iter_mut().find(|upload| upload.bucket == bucket && upload.place == place) {
                Some(known) => known.sites.push(site.name.clone()),
                None => uploads.push(UploadTrigger { bucket, place, sites: vec![site.name.clone()] }),
            }
        }
    }
    uploads
}

//! The uploads that start the function.
//!
//! The patterns match at least every object that completes a build. They cannot match exactly these: a pattern has no
//! "directly below", so a zip deeper in a folder starts the function as well, and `tidegate-lambda` ignores it.
//! Source: Amazon EventBridge user guide, "Comparison operators for use in event patterns" and "Using wildcards in event
//! patterns".

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};
use tidegate_core::config::{Config, Site, SiteName};
use tidegate_core::iam_name::{MAX_NAME, fitted};
use tidegate_core::location::{Bucket, Location, Source};
use tidegate_core::staged_build::READY_MARKER;

/// Suffixes of zips. Others, such as `.Zip`, are not watched.
const ZIP_SUFFIXES: [&str; 2] = [".zip", ".ZIP"];

/// Maximum length of a rule's description, in characters. Source: EventBridge API reference, `PutRule`.
const MAX_DESCRIPTION: usize = 512;

/// What S3 does not encode in the keys of events.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'*');

/// Uploads to one location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UploadTrigger {
    /// The bucket.
    pub bucket: Bucket,
    #[serde(flatten)]
    objects: WatchedObjects,
    /// The sites that they publish.
    pub sites: Vec<SiteName>,
}

/// The objects of a bucket that are watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum WatchedObjects {
    /// The object that completes a `staged` source.
    Staged(String),
    /// The objects that complete builds below a `builds` prefix.
    Builds(String),
}

/// Keys that start the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum KeyPattern {
    /// One key.
    Exactly(String),
    /// Keys with this prefix and suffix.
    Between(String, &'static str),
}

impl KeyPattern {
    /// Matchers for EventBridge. AWS does not document whether its keys are encoded, so both forms are matched.
    fn matchers(&self) -> Vec<Value> {
        let forms = |text: &str| {
            let encoded = encode(text);
            if encoded == text { vec![encoded] } else { vec![text.to_owned(), encoded] }
        };
        match self {
            Self::Exactly(key) => forms(key).into_iter().map(Value::String).collect(),
            Self::Between(prefix, suffix) => {
                let literal = |text: &str| text.replace('\\', "\\\\").replace('*', "\\*");
                let wildcard = |prefix: String| json!({ "wildcard": format!("{}*{suffix}", literal(&prefix)) });
                forms(prefix).into_iter().map(wildcard).collect()
            }
        }
    }
}

/// A key as S3 writes it in events: a space is `+`, other special characters are percent-encoded.
fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string().replace("%20", "+")
}

impl UploadTrigger {
    /// The keys that start the function.
    #[must_use]
    pub fn patterns(&self) -> Vec<KeyPattern> {
        match &self.objects {
            WatchedObjects::Staged(key) => vec![KeyPattern::Exactly(key.clone())],
            WatchedObjects::Builds(prefix) => {
                let zips = ZIP_SUFFIXES.into_iter().map(|suffix| KeyPattern::Between(prefix.clone(), suffix));
                zips.chain([KeyPattern::Between(prefix.clone(), "/.ready")]).collect()
            }
        }
    }

    /// Its name, unique among the function's triggers.
    #[must_use]
    pub fn name(&self, function: &str) -> String {
        let site = self.sites.first().map(SiteName::as_str).unwrap_or_default();
        fitted(&format!("{function}-{site}-{}", self.kind()), MAX_NAME)
    }

    /// `staged`, `builds`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.objects {
            WatchedObjects::Staged(_) => "staged",
            WatchedObjects::Builds(_) => "builds",
        }
    }

    /// A description, at most [`MAX_DESCRIPTION`] characters long.
    pub(super) fn description(&self) -> String {
        let sites: Vec<&str> = self.sites.iter().map(SiteName::as_str).collect();
        let named = format!("Uploads that publish {}", sites.join(", "));
        if named.len() <= MAX_DESCRIPTION { named } else { format!("Uploads that publish {} sites", sites.len()) }
    }

    /// The event pattern of an EventBridge rule.
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

/// The objects whose upload publishes a site.
fn watched_objects(site: &Site) -> impl Iterator<Item = (Bucket, WatchedObjects)> + '_ {
    let marker = |place: &Location| (place.bucket.clone(), WatchedObjects::Staged(place.prefix.join(READY_MARKER)));
    let staged = match &site.staged {
        Some(Source::Prefix(place)) => Some(marker(place)),
        Some(Source::Object(object)) => {
            Some((object.bucket.clone(), WatchedObjects::Staged(object.key.as_str().to_owned())))
        }
        Some(Source::Directory(_) | Source::Archive(_) | Source::Release(_)) | None => None,
    };
    let builds =
        site.builds.as_ref().map(|place| (place.bucket.clone(), WatchedObjects::Builds(place.prefix.to_string())));
    staged.into_iter().chain(builds).filter(|_| site.publishes_on_upload())
}

/// The triggers of a configuration. Sites with the same location share one: the same event publishes them.
pub(super) fn upload_triggers(config: &Config) -> Vec<UploadTrigger> {
    let mut triggers: Vec<UploadTrigger> = Vec::new();
    for site in &config.sites {
        for (bucket, objects) in watched_objects(site) {
            match triggers.iter_mut().find(|trigger| trigger.bucket == bucket && trigger.objects == objects) {
                Some(known) => known.sites.push(site.name.clone()),
                None => triggers.push(UploadTrigger { bucket, objects, sites: vec![site.name.clone()] }),
            }
        }
    }
    triggers
}

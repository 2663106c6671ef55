//! `grant` of a plugin: what it may do to a site. Without a grant, a plugin may do everything that its contract offers.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::value::ValueError;
use crate::sanitize::sanitize_name;

/// What a sync plugin can do to an entry, by the names of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EditKind {
    /// Excludes the entry.
    Exclude,
    /// Publishes it with another key.
    Rename,
    /// Sets a response header.
    SetHeader,
    /// Removes a response header.
    RemoveHeader,
    /// Sets user metadata.
    SetMetadata,
    /// Removes user metadata.
    RemoveMetadata,
    /// Publishes a redirect instead of the body.
    Redirect,
    /// Adds a redirect with a key that no entry has.
    AddRedirect,
}

/// The name of a response header, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GrantedHeader(String);

/// How much content a plugin may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ReadsText", into = "ReadsText")]
pub enum ReadGrant {
    /// Bytes, within the read budget of a run.
    Bytes(u64),
    /// A share of the read budget of a run.
    Percent(u8),
}

/// A number of bytes, or a share such as `25%`.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "`reads` is a number of bytes, such as 65536, or a share, such as \"25%\"")]
enum ReadsText {
    Bytes(u64),
    Share(String),
}

/// What a plugin may do. What is not listed is not granted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PluginGrant {
    /// Kinds of edits.
    pub edits: BTreeSet<EditKind>,
    /// The only headers that it may set and remove, on objects and in rules for requests; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeSet<GrantedHeader>>,
    /// How much content it may read; by default nothing.
    pub reads: ReadGrant,
    /// Whether it may add rules for requests.
    pub edge: bool,
}

/// What a plugin asked for beyond its grant, and what grants it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingGrant {
    /// A kind of edit.
    #[error("`{0}` is not granted to it; add it to `edits` of its `grant`")]
    Edit(EditKind),
    /// A header.
    #[error("the header `{0}` is not granted to it; add it to `headers` of its `grant`")]
    Header(String),
    /// A rule for requests.
    #[error("rules for requests are not granted to it; set `edge = true` in its `grant`")]
    Edge,
    /// Any read.
    #[error("reading content is not granted to it; set `reads` in its `grant`")]
    Read,
    /// One read too many.
    #[error(
        "it had read {read} bytes in {reads} reads and asked for {asked} bytes more, beyond the {granted} of `reads` in its `grant`; raise it"
    )]
    MoreReads {
        /// Bytes that it had read.
        read: u64,
        /// Keys and ranges that it had read.
        reads: u64,
        /// Bytes that it asked for.
        asked: u64,
        /// The grant.
        granted: ReadGrant,
    },
}

/// A grant that does not make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// A policy cannot edit.
    #[error("`grant` of a policy has only `reads`: a policy changes nothing; remove `edits`, `headers` and `edge`")]
    Policy,
    /// Headers without an edit of headers.
    #[error(
        "`headers` in `grant` has no effect; add `set-header` or `remove-header` to `edits`, set `edge = true`, or remove it"
    )]
    Headers,
}

impl PluginGrant {
    /// Whether it grants an edit, of this header if it is an edit of a header.
    ///
    /// # Errors
    /// [`MissingGrant`].
    pub fn check_edit(&self, kind: EditKind, header: Option<&str>) -> Result<(), MissingGrant> {
        if !self.edits.contains(&kind) {
            return Err(MissingGrant::Edit(kind));
        }
        header.map_or(Ok(()), |header| self.check_header(header))
    }

    /// Whether it grants a rule for requests that sets or removes these headers.
    ///
    /// # Errors
    /// [`MissingGrant`].
    pub fn check_edge<'a>(&self, headers: impl IntoIterator<Item = &'a str>) -> Result<(), MissingGrant> {
        if !self.edge {
            return Err(MissingGrant::Edge);
        }
        headers.into_iter().try_for_each(|header| self.check_header(header))
    }

    fn check_header(&self, header: &str) -> Result<(), MissingGrant> {
        let granted = self
            .headers
            .as_ref()
            .is_none_or(|headers| headers.iter().any(|GrantedHeader(granted)| granted.eq_ignore_ascii_case(header)));
        if granted { Ok(()) } else { Err(MissingGrant::Header(sanitize_name(&header.to_ascii_lowercase()))) }
    }

    /// Checks the grant of a sync plugin.
    pub(super) fn check_for_sync(&self) -> Result<(), GrantError> {
        let sets_headers = [EditKind::SetHeader, EditKind::RemoveHeader].iter().any(|kind| self.edits.contains(kind));
        if self.headers.is_some() && !sets_headers && !self.edge { Err(GrantError::Headers) } else { Ok(()) }
    }

    /// Checks the grant of a policy.
    pub(super) fn check_for_policy(&self) -> Result<(), GrantError> {
        let only_reads = Self { reads: self.reads, ..Self::default() };
        if *self == only_reads { Ok(()) } else { Err(GrantError::Policy) }
    }

    /// The part of a default grant that a policy can have.
    pub(super) fn for_policy(&self) -> Self {
        Self { reads: self.reads, ..Self::default() }
    }
}

impl ReadGrant {
    /// The part of a budget that is granted.
    #[must_use]
    pub fn of(self, budget: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.min(budget),
            Self::Percent(percent) => self.share(budget, percent),
        }
    }

    /// How many reads of a budget are granted. A number of bytes limits only bytes.
    #[must_use]
    pub fn reads_of(self, budget: u64) -> u64 {
        match self {
            Self::Bytes(0) => 0,
            Self::Bytes(_) => budget,
            Self::Percent(percent) => self.share(budget, percent),
        }
    }

    /// Whether it grants nothing.
    #[must_use]
    pub fn is_none(self) -> bool {
        matches!(self, Self::Bytes(0) | Self::Percent(0))
    }

    fn share(self, budget: u64, percent: u8) -> u64 {
        let share = u128::from(budget) * u128::from(percent) / 100;
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

impl Default for ReadGrant {
    fn default() -> Self {
        Self::Bytes(0)
    }
}

impl EditKind {
    /// Every kind, in the order of [`Ord`].
    pub const ALL: [Self; 8] = [
        Self::Exclude,
        Self::Rename,
        Self::SetHeader,
        Self::RemoveHeader,
        Self::SetMetadata,
        Self::RemoveMetadata,
        Self::Redirect,
        Self::AddRedirect,
    ];

    /// Its name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exclude => "exclude",
            Self::Rename => "rename",
            Self::SetHeader => "set-header",
            Self::RemoveHeader => "remove-header",
            Self::SetMetadata => "set-metadata",
            Self::RemoveMetadata => "remove-metadata",
            Self::Redirect => "redirect",
            Self::AddRedirect => "add-redirect",
        }
    }
}

impl TryFrom<ReadsText> for ReadGrant {
    type Error = ValueError;
    fn try_from(text: ReadsText) -> Result<Self, ValueError> {
        match text {
            ReadsText::Bytes(bytes) => Ok(Self::Bytes(bytes)),
            ReadsText::Share(text) => {
                let percent = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                let percent = percent.and_then(|digits| digits.parse().ok()).filter(|percent| *percent <= 100);
                percent.map(Self::Percent).ok_or_else(|| ValueError::Reads(sanitize_name(&text)))
            }
        }
    }
}

impl From<ReadGrant> for ReadsText {
    fn from(grant: ReadGrant) -> Self {
        match grant {
            ReadGrant::Bytes(bytes) => Self::Bytes(bytes),
            ReadGrant::Percent(percent) => Self::Share(format!("{percent}%")),
        }
    }
}

impl TryFrom<String> for GrantedHeader {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let valid = (1..=256).contains(&text.len()) && text.chars().all(token);
        if valid { Ok(Self(text.to_ascii_lowercase())) } else { Err(ValueError::HeaderName(sanitize_name(&text))) }
    }
}

impl From<GrantedHeader> for String {
    fn from(header: GrantedHeader) -> Self {
        header.0
    }
}

impl fmt::Display for EditKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ReadGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// What the plugin may do, for people: `may exclude, set-header (cache-control), read 25%`.
impl fmt::Display for PluginGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut granted: Vec<String> = self.edits.iter().map(|kind| kind.as_str().to_owned()).collect();
        if self.edge {
            granted.push("add rules for requests".to_owned());
        }
        if !self.reads.is_none() {
            granted.push(format!("read {}", self.reads));
        }
        match granted.as_slice() {
            [] => f.write_str("may not change or read anything")?,
            granted => write!(f, "may {}", granted.join(", "))?,
        }
        if let Some(headers) = &self.headers {
            let headers: Vec<&str> = headers.iter().map(|GrantedHeader(name)| name.as_str()).collect();
            write!(f, "; headers: {}", if headers.is_empty() { "none".to_owned() } else { headers.join(", ") })?;
        }
        Ok(())
    }
}

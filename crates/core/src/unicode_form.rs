//! Keys in decomposed Unicode: names of files from a Mac often have two characters where keyboards and editors write one, such
//! as `e` and an accent instead of `é`. For S3 and browsers, these are different keys that look the same.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization;

use crate::desired::DesiredSite;
use crate::finding::Finding;
use crate::text::count;

/// Most keys that findings name; the last finding counts the others.
const MAX_NAMED: usize = 20;

/// What a path of a URL leaves as it is.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Findings about published objects whose keys are not composed (NFC). Redirects are not objects: an address can be meant.
#[must_use]
pub fn decomposed_keys(desired: &DesiredSite) -> Vec<Finding> {
    let objects = desired.entries().iter().filter(|entry| entry.body.redirect().is_none());
    let names = objects.map(|entry| entry.key.as_str()).filter(|key| !key.is_ascii());
    let mut decomposed =
        names.map(|key| (key, key.nfc().collect::<String>())).filter(|(key, composed)| key != composed);
    let finding = |message, key| Finding { key, ..Finding::warning("decomposed-key", message) };
    let named = decomposed.by_ref().take(MAX_NAMED).map(|(key, composed)| {
        let (address, other) = (utf8_percent_encode(key, IN_PATH), utf8_percent_encode(&composed, IN_PATH));
        let message = format!(
            "the key has decomposed characters, so its address is `/{address}`, and links to the composed form `{composed}` \
             (`/{other}`) do not reach it; set `normalize = \"nfc\"` in the plugin `rewrite`, or rename the file"
        );
        finding(message, Some(key.to_owned()))
    });
    let mut findings: Vec<Finding> = named.collect();
    match decomposed.count() {
        0 => {}
        more => findings.push(finding(format!("decomposed characters are in {}, too", count(more, "more key")), None)),
    }
    findings
}

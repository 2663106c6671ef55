//! ETags of S3 objects.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An ETag from S3, without quotes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Cow<'_, str>", into = "String")]
pub struct ETag(ETagText);

/// The text of an ETag. Most are 32 hexadecimal digits, which take no memory of their own: a site can have millions.
#[derive(Clone, PartialEq, Eq, Hash)]
enum ETagText {
    /// Lower-case hexadecimal digits.
    Hexadecimal([u8; 16]),
    /// Any other text.
    Other(Box<str>),
}

impl ETag {
    /// Creates an ETag from text with or without quotes.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.trim().trim_matches('"');
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        Self(match decode(text).filter(|_| is_lower) {
            Some(bytes) => ETagText::Hexadecimal(bytes),
            None => ETagText::Other(text.into()),
        })
    }

    /// The ETag without quotes.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            ETagText::Hexadecimal(bytes) => Cow::Owned(hex::encode(bytes)),
            ETagText::Other(text) => Cow::Borrowed(text),
        }
    }

    /// Whether S3 returned no ETag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, ETagText::Other(text) if text.is_empty())
    }

    /// The ETag with quotes, as in conditional requests.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{self}\"")
    }

    /// The ETag as an MD5, if it looks like one. It may **not** be one (SSE-KMS, SSE-C): equality with a known MD5 proves
    /// equal bodies, a difference proves nothing.
    #[must_use]
    pub fn as_md5(&self) -> Option<[u8; 16]> {
        match &self.0 {
            ETagText::Hexadecimal(bytes) => Some(*bytes),
            ETagText::Other(text) => decode(text),
        }
    }
}

fn decode(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    (text.len() == 32).then(|| hex::decode_to_slice(text, &mut bytes).ok())??;
    Some(bytes)
}

impl Default for ETag {
    fn default() -> Self {
        Self(ETagText::Other(Box::default()))
    }
}

impl From<Cow<'_, str>> for ETag {
    fn from(text: Cow<'_, str>) -> Self {
        Self::new(&text)
    }
}

impl From<ETag> for String {
    fn from(etag: ETag) -> Self {
        etag.text().into_owned()
    }
}

/// By text.
impl Ord for ETag {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text().cmp(&other.text())
    }
}

impl PartialOrd for ETag {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ETag({:?})", self.text())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_multipart_etag_is_not_an_md5() {
        assert!(ETag::new("\"d41d8cd98f00b204e9800998ecf8427e\"").as_md5().is_some());
        assert!(ETag::new("D41D8CD98F00B204E9800998ECF8427E").as_md5().is_some());
        assert!(ETag::new("d41d8cd98f00b204e9800998ecf8427e-2").as_md5().is_none());
        assert!(ETag::new("zz1d8cd98f00b204e9800998ecf8427e").as_md5().is_none());
    }

    proptest! {
        #[test]
        fn behaves_as_its_text(
            texts in proptest::array::uniform2(prop_oneof!["[0-9a-f]{32}", "[0-9a-fA-F]{32}", "[0-9a-f]{0,3}", "[0-9a-f]{32}-[0-9]"]),
        ) {
            let [one, other] = texts.each_ref().map(|text| ETag::new(text));
            prop_assert_eq!(one.text(), texts[0].as_str());
            prop_assert_eq!(one.quoted(), format!("\"{}\"", texts[0]));
            prop_assert_eq!(one.is_empty(), texts[0].is_empty());
            prop_assert_eq!(one == other, texts[0] == texts[1]);
            prop_assert_eq!(one.cmp(&other), texts[0].cmp(&texts[1]));
            prop_assert_eq!(one.as_md5().map(hex::encode), one.as_md5().map(|_| texts[0].to_ascii_lowercase()));
            let json = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&texts[0]).unwrap());
            prop_assert_eq!(serde_json::from_str::<ETag>(&json).unwrap(), one);
        }
    }
}

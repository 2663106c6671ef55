//! A size in settings: `"200 KB"`, `"1.5 MiB"` or a number of bytes.

use std::fmt;
use std::str::FromStr as _;

use bytesize::ByteSize;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A size in bytes. `KB` is 1,000 bytes, `KiB` is 1,024. Its canonical form is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Size(pub(crate) u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;

        impl Visitor<'_> for NumberOrText {
            type Value = Size;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number of bytes, or a size such as \"200 KB\"")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                let invalid = |_| E::custom(format!("invalid size `{text}`; use a size such as `200 KB` or `1.5 MiB`"));
                ByteSize::from_str(text).map(|size| Size(size.as_u64())).map_err(invalid)
            }
        }

        deserializer.deserialize_any(NumberOrText)
    }
}

/// A size for people, in the units of the settings.
impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", ByteSize::b(self.0).display().si())
    }
}

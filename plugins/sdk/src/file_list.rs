//! One pattern or several, as a value of settings.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::glob::{GlobList, IgnoreGlob};

/// Files that a rule is about: `"*.js"` or `["*.js", "!vendor/"]`. Its canonical form is a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FileList(pub GlobList);

impl<'de> Deserialize<'de> for FileList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GlobsVisitor;

        impl<'de> Visitor<'de> for GlobsVisitor {
            type Value = FileList;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a glob or a list of globs")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<FileList, E> {
                let glob = IgnoreGlob::parse(text).map_err(E::custom)?;
                Ok(FileList([glob].into_iter().collect()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, globs: A) -> Result<FileList, A::Error> {
                GlobList::deserialize(SeqAccessDeserializer::new(globs)).map(FileList)
            }
        }

        deserializer.deserialize_any(GlobsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::FileList;
    use crate::Settings;
    use crate::testing::canonical;

    #[derive(serde::Deserialize, serde::Serialize)]
    struct Rule {
        files: FileList,
    }

    impl Settings for Rule {}

    #[test]
    fn one_pattern_is_a_list() {
        assert_eq!(canonical::<Rule>(r#"{"files":"*.js"}"#).unwrap(), r#"{"files":["*.js"]}"#);
        assert_eq!(canonical::<Rule>(r#"{"files":["*","!a/"]}"#).unwrap(), r#"{"files":["*","!a/"]}"#);
        for (settings, pointer) in [
            (r#"{"files":"["}"#, "/files"),
            (r#"{"files":["a","["]}"#, "/files/1"),
            (r#"{"files":7}"#, "/files"),
            (r#"{"files":{}}"#, "/files"),
        ] {
            assert_eq!(canonical::<Rule>(settings).unwrap_err()[0].0, pointer, "{settings}");
        }
    }
}

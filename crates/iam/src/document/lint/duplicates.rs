//! Members that occur twice in an object of a JSON text. JSON parsers silently keep one of them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::pointer_to;

/// The object and the name of each member that occurs again, as a JSON Pointer and a name. Empty if the text is not JSON.
pub(super) fn duplicate_members(text: &str) -> Vec<(String, String)> {
    let found = RefCell::default();
    let walker = MemberWalker { pointer: String::new(), found: &found };
    // A text that is not JSON is reported by the linter.
    let _ = walker.deserialize(&mut serde_json::Deserializer::from_str(text));
    found.into_inner()
}

struct MemberWalker<'a> {
    pointer: String,
    found: &'a RefCell<Vec<(String, String)>>,
}

impl MemberWalker<'_> {
    fn below(&self, name: &str) -> Self {
        Self { pointer: pointer_to(&self.pointer, name), found: self.found }
    }
}

impl<'de> DeserializeSeed<'de> for MemberWalker<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MemberWalker<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(self.below(&name))?;
            if let Some(name) = names.replace(name) {
                self.found.borrow_mut().push((self.pointer.clone(), name));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0_usize;
        while items.next_element_seed(self.below(&index.to_string()))?.is_some() {
            index = index.saturating_add(1);
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

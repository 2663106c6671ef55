//! The folder of a site that some of its keys are in, as a session policy can name it.

use crate::location::{Location, Prefix};

/// Longest folder, in bytes: a session policy names it several times, and has at most 2,048 characters.
const MAX_FOLDER: usize = 256;

/// The narrowest folder of a site with both keys and all keys between them, among those that a session policy can name.
#[must_use]
pub fn common_folder(site: &Location, first: &str, last: &str) -> Location {
    let equal = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    // Equal bytes may end within a character, but `/` is never a part of one.
    let mut folder = first.as_bytes().get(..equal).unwrap_or_default();
    while let Some(at) = folder.iter().rposition(|byte| *byte == b'/') {
        let name = folder.get(..=at).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        // Source: STS API reference, `AssumeRole`, `Policy`: characters up to U+00FF.
        let fits = name.len() <= MAX_FOLDER && name.chars().all(|c| c <= '\u{ff}');
        // A prefix has no wildcards, and its names are those of keys.
        if fits && let Ok(prefix) = Prefix::new(&site.prefix.join(name)) {
            return Location { bucket: site.bucket.clone(), prefix };
        }
        folder = folder.get(..at).unwrap_or_default();
    }
    site.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_narrowest_folder_that_a_policy_can_name() {
        let long = format!("a/{}/", "x".repeat(300));
        for (first, last, folder) in [
            ("a/b/c.html", "a/b/d.html", "a/b/"),
            ("a/b/c.html", "a/bc.html", "a/"),
            ("a/b/", "a/b/c", "a/b/"),
            ("a/b/c", "a/b/c", "a/b/"),
            ("a.html", "b.html", ""),
            ("index.html", "index.html", ""),
            ("a/é/x", "a/é/y", "a/é/"),
            ("a/é/x", "a/è/y", "a/"),
            ("a/日本/x", "a/日本/y", "a/"),
            ("a/*/b/x", "a/*/b/y", "a/"),
            ("a/$x/b", "a/$x/c", "a/"),
            ("a//b", "a//c", "a/"),
            ("/a", "/b", ""),
            (&format!("{long}1"), &format!("{long}2"), "a/"),
        ] {
            for site in ["s3://site/", "s3://site/docs/"] {
                let found = common_folder(&site.parse().unwrap(), first, last);
                assert_eq!(found.to_string(), format!("{site}{folder}"), "{first} to {last}");
            }
        }
    }
}

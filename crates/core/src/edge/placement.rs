//! Where an object of a release is stored: with its release, or shared by all of them. The function decides the same way.

use crate::location::Prefix;

/// The folder of releases on a site.
pub const RELEASES: &str = ".r/";

/// The folder of previews on a site.
pub const PREVIEWS: &str = ".p/";

/// Letters and digits that make the end of a name a fingerprint.
const MIN_FINGERPRINT: usize = 8;

/// Whether all releases share the object of a path: it is in a folder of assets, or its name holds a fingerprint. `path` is
/// as the function spells it, without the leading `/`.
#[must_use]
pub fn is_shared(path: &str, folders: &[Prefix]) -> bool {
    folders.iter().any(|folder| path.starts_with(&super::spelling::encode_path(folder.as_str())))
        || has_fingerprint(path)
}

fn has_fingerprint(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let is_extension =
        !extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !is_extension || matches!(extension, "html" | "htm") {
        return false;
    }
    let at = stem.bytes().rposition(|byte| !byte.is_ascii_alphanumeric());
    let Some((separator, fingerprint)) = at.and_then(|at| Some((stem.as_bytes().get(at)?, stem.get(at + 1..)?))) else {
        return false;
    };
    matches!(separator, b'.' | b'-' | b'_')
        && fingerprint.len() >= MIN_FINGERPRINT
        && fingerprint.bytes().any(|byte| byte.is_ascii_digit())
        && fingerprint.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_letters_and_digits_before_the_extension() {
        for name in ["app.abcdef12.js", "js/app-0a1b2c3d.css", "x_ABCDEFGH1.woff2", "a.b-12345678a.js"] {
            assert!(is_shared(name, &[]), "{name}");
        }
        for name in [
            "app.js",
            "app.abcdefgh.js",
            "2024-12345678.pdf",
            "x.abcdef12.html",
            "abcdef12.js",
            "a.abc%20def12.js",
            "a.abcdef12",
        ] {
            assert!(!is_shared(name, &[]), "{name}");
        }
        let folders = [Prefix::new("_astro/").unwrap()];
        assert!(is_shared("_astro/x.js", &folders) && !is_shared("astro/x.js", &folders));
    }
}

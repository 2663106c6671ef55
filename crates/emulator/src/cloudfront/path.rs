//! Paths of invalidations and of viewers' requests: which paths CloudFront accepts, and which requests an invalidation
//! clears.
//!
//! Source: CloudFront Developer Guide, "Invalidate files", "What you need to know when specifying the files that you
//! want to invalidate" and "What you need to know when invalidating tags"; and the list of unsafe characters in RFC
//! 1738, section 2.2.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use thiserror::Error;

/// Longest path, in characters.
pub(crate) const MAX_PATH_LENGTH: usize = 4_000;

/// Longest cache tag, in characters.
pub(crate) const MAX_TAG_LENGTH: usize = 256;

/// Most cache tags of one object; the others are ignored.
pub(crate) const MAX_TAGS: usize = 50;

/// Characters that a path must percent-encode: everything outside ASCII, controls, and RFC 1738's unsafe characters.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'<')
    .add(b'>')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^')
    .add(b'~')
    .add(b'[')
    .add(b']')
    .add(b'`');

/// The same for the path of a request without its query. A `?` in it can only belong to a key, and browsers encode it
/// there.
const UNSAFE_IN_REQUEST: &AsciiSet = &UNSAFE.add(b'?');

/// Characters that RFC 3986 reserves. Encoded and unencoded, they are different paths.
const RESERVED_IN_REQUEST: &AsciiSet = &UNSAFE_IN_REQUEST
    .add(b'!')
    .add(b'$')
    .add(b'&')
    .add(b'\'')
    .add(b'(')
    .add(b')')
    .add(b'*')
    .add(b'+')
    .add(b',')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@');

/// Why CloudFront rejects a path. It answers `InvalidArgument` without the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathError {
    /// The path does not start with `/`.
    #[error("the path must start with `/`")]
    LeadingSlash,
    /// The path is too long.
    #[error("the path has more than {MAX_PATH_LENGTH} characters")]
    TooLong,
    /// A `*` before the last character.
    #[error("`*` must be the last character of the path")]
    Wildcard,
    /// A character that must be percent-encoded, or a `%` without two hexadecimal digits.
    #[error("the path has a character that must be percent-encoded")]
    Unsafe,
    /// An invalid cache tag.
    #[error("a cache tag must have 1 to {MAX_TAG_LENGTH} visible ASCII characters and no comma")]
    Tag,
}

/// The cache tags in the value of an object's header. Invalid tags are ignored.
#[must_use]
pub(crate) fn tags(value: &str) -> Vec<String> {
    let parts = value.split(',').map(|part| part.trim_matches(' '));
    parts.take(MAX_TAGS).filter(|part| is_tag(part)).map(str::to_ascii_lowercase).collect()
}

fn is_tag(text: &str) -> bool {
    (1..=MAX_TAG_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// The text of a path to invalidate, or a cache tag after `#`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvalidationPath(String);

impl InvalidationPath {
    /// Checks a path.
    ///
    /// # Errors
    /// The rule that the path breaks.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if let Some(tag) = text.strip_prefix('#') {
            return if is_tag(tag) { Ok(Self(text.to_owned())) } else { Err(PathError::Tag) };
        }
        if !text.starts_with('/') {
            return Err(PathError::LeadingSlash);
        }
        if text.chars().count() > MAX_PATH_LENGTH {
            return Err(PathError::TooLong);
        }
        if text.find('*').is_some_and(|at| at + 1 != text.len()) {
            return Err(PathError::Wildcard);
        }
        // A character is safe if encoding does not change it, or if it is a `%` before two hexadecimal digits.
        let mut pieces = text.split('%');
        let first = pieces.next().unwrap_or_default();
        let encodes = |piece: &str| piece.len() >= 2 && piece.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
        let safe = |piece: &str| percent_encode(piece.as_bytes(), UNSAFE).all(|chunk| !chunk.starts_with('%'));
        if safe(first) && pieces.all(|piece| encodes(piece) && safe(piece)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(PathError::Unsafe)
        }
    }

    /// The text of the request.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it ends in `*`, and so counts against the quota of wildcards.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.ends_with('*') && !self.is_tag()
    }

    /// Whether it is a cache tag.
    #[must_use]
    pub fn is_tag(&self) -> bool {
        self.0.starts_with('#')
    }

    /// Whether it is one of `tags`, which are in lower case. The comparison ignores case, and `*` is an ordinary
    /// character.
    #[must_use]
    pub fn clears_tagged(&self, tags: &[String]) -> bool {
        self.0.strip_prefix('#').is_some_and(|name| tags.iter().any(|tag| tag.eq_ignore_ascii_case(name)))
    }

    /// Whether it clears the cached answer to `request`. The comparison is case-sensitive, and `*` stands for any
    /// number of characters, including none. An escape of a character that needs none, such as `%61`, clears nothing,
    /// as the guide warns.
    #[must_use]
    pub fn clears(&self, request: &ViewerPath) -> bool {
        if self.is_tag() {
            return false;
        }
        let path = with_uppercase_escapes(&self.0);
        match path.strip_suffix('*') {
            Some(prefix) => request.0.starts_with(prefix),
            None => request.0 == path,
        }
    }
}

/// The path of a viewer's request in the form that the cache uses: normalized as RFC 3986, section 6.2.2 says, with unsafe
/// characters encoded. Escapes of reserved characters stay, so `%2B` and `+` are two paths.
///
/// Source: CloudFront Developer Guide, "Path pattern": "CloudFront normalizes URI paths consistent with RFC 3986".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewerPath(String);

impl ViewerPath {
    /// Normalizes the path of a request without its query.
    #[must_use]
    pub fn new(path: &str) -> Self {
        let mut normal = String::with_capacity(path.len());
        let mut rest = path.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let escaped = after
                .split_at_checked(2)
                .filter(|(digits, _)| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
            let (byte, encoded) = match escaped {
                Some((digits, after)) => {
                    rest = after;
                    (digits.iter().fold(0, |byte, digit| byte << 4 | hexadecimal(*digit)), RESERVED_IN_REQUEST)
                }
                None => {
                    rest = after;
                    (*first, UNSAFE_IN_REQUEST)
                }
            };
            normal.extend(percent_encode(&[byte], encoded));
        }
        Self(normal)
    }

    /// The encoded path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without escapes, as S3 reads it: a `+` is a space. `None` if it is not UTF-8, which no key is.
    #[must_use]
    pub fn decoded(&self) -> Option<String> {
        percent_decode_str(&self.0.replace('+', " ")).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    }
}

/// The value of a hexadecimal digit.
fn hexadecimal(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_default()
}

fn with_uppercase_escapes(path: &str) -> String {
    let mut left = 0;
    path.chars()
        .map(|character| {
            if character == '%' {
                left = 2;
                return character;
            }
            if left > 0 {
                left -= 1;
                return character.to_ascii_uppercase();
            }
            character
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clears(path: &str, request: &str) -> bool {
        InvalidationPath::parse(path).expect(path).clears(&ViewerPath::new(request))
    }

    #[test]
    fn rejects_invalid_paths() {
        for (path, expected) in [
            ("", PathError::LeadingSlash),
            ("index.html", PathError::LeadingSlash),
            ("*", PathError::LeadingSlash),
            ("/a/*/b", PathError::Wildcard),
            ("/**", PathError::Wildcard),
            ("/a b", PathError::Unsafe),
            ("/é", PathError::Unsafe),
            ("/~user", PathError::Unsafe),
            ("/a#b", PathError::Unsafe),
            ("/a[1]", PathError::Unsafe),
            ("/100%", PathError::Unsafe),
            ("/%zz", PathError::Unsafe),
            ("/%2", PathError::Unsafe),
            ("/a\nb", PathError::Unsafe),
            ("#", PathError::Tag),
            ("#a b", PathError::Tag),
            ("#a,b", PathError::Tag),
            ("#é", PathError::Tag),
        ] {
            assert_eq!(InvalidationPath::parse(path), Err(expected), "{path}");
        }
        assert!(InvalidationPath::parse(&format!("/{}", "a".repeat(3_999))).is_ok());
        assert_eq!(InvalidationPath::parse(&format!("/{}", "a".repeat(4_000))), Err(PathError::TooLong));
        for path in ["/", "/*", "/a/", "/a%20b", "/c++.html", "/it's", "/a?x=1", "/%7Euser", "/a*", "/a:b@c!$&()=;,"] {
            assert!(InvalidationPath::parse(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn a_tag_clears_objects_in_any_case_and_without_wildcards() {
        let carried = tags("News, product:tv ,a b,caf\u{e9},,x*");
        assert_eq!(carried, ["news", "product:tv", "x*"]);
        for (item, expected) in [("#news", true), ("#NEWS", true), ("#new", false), ("#new*", false), ("#x*", true)] {
            let item = InvalidationPath::parse(item).expect(item);
            assert_eq!(item.clears_tagged(&carried), expected, "{item:?}");
            assert!(!item.is_wildcard() && !item.clears(&ViewerPath::new("/news")));
        }
        let many = (0..60).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(tags(&many).len(), 50);
        assert!(InvalidationPath::parse(&format!("#{}", "a".repeat(256))).is_ok());
        assert_eq!(InvalidationPath::parse(&format!("#{}", "a".repeat(257))), Err(PathError::Tag));
    }

    /// Rows: path of the invalidation, path of the request as a browser sends it, whether it is cleared.
    #[test]
    fn clears_requests_by_the_rules_of_the_guide() {
        for (path, request, expected) in [
            ("/a.html", "/a.html", true),
            ("/a.html", "/A.html", false),
            ("/a.html", "/a.htm", false),
            ("/dev", "/dev/", false),
            ("/dev/", "/dev", false),
            ("/dev/*", "/dev/", true),
            ("/dev/*", "/dev/a/b", true),
            ("/dev/*", "/dev", false),
            ("/dev/*", "/dev2/a", false),
            ("/*", "/", true),
            ("/im*", "/images/a", true),
            ("/a%20b", "/a%20b", true),
            ("/caf%C3%A9", "/caf%c3%a9", true),
            ("/caf%c3%a9", "/caf%C3%A9", true),
            ("/%7Euser", "/~user", true),
            ("/%61", "/a", false),
            ("/a%2Ab", "/a*b", false),
            ("/a*", "/a*", true),
            ("/c++.html", "/c++.html", true),
            ("/c++.html", "/c%2B%2B.html", false),
            ("/c%2B%2B.html", "/c++.html", false),
            ("/c%2B%2B.html", "/c%2b%2B.html", true),
            ("/a%20b", "/a+b", false),
            ("/a+b", "/a+b", true),
            ("/x@2x.png", "/x%402x.png", false),
            ("/x%402x.png", "/x%402x.png", true),
            ("/a%281%29", "/a(1)", false),
            ("/a.b-c_d", "/%61%2Eb%2Dc%5Fd", true),
            ("/a%3Fb", "/a%3Fb", true),
            ("/a?b", "/a%3Fb", false),
        ] {
            assert_eq!(clears(path, request), expected, "{path} for {request}");
        }
    }

    proptest! {
        #[test]
        fn a_viewer_path_without_wildcard_clears_only_itself(key in "[a-zé %~#?+/\\[\\]]{0,12}", other in "[a-zé %~#?+/\\[\\]]{0,12}") {
            let encode = |key: &str| ViewerPath::new(&format!("/{}", percent_encode(key.as_bytes(), percent_encoding::NON_ALPHANUMERIC)));
            let own = InvalidationPath::parse(encode(&key).as_str()).expect("a path");
            prop_assert!(own.clears(&encode(&key)));
            prop_assert_eq!(own.clears(&encode(&other)), key == other);
        }
    }
}

//! Recognizes names with a fingerprint: a hash of the content.
//!
//! A missed fingerprint costs a request. A word, number, version or date that is taken for one costs visitors a year of
//! stale bytes, so in doubt a name has no fingerprint. How much looks like a hash depends on the kind of file: build tools
//! write code and fonts, people name pictures, and documents have numbers.

/// Extensions of code and fonts. Few of them have a number in their names that is not a hash.
const CODE: [&str; 9] = ["js", "mjs", "cjs", "css", "wasm", "woff", "woff2", "ttf", "otf"];

/// Extensions of other files that build tools write. People write them too.
const MEDIA: [&str; 18] = [
    "avif", "eot", "gif", "glb", "gltf", "ico", "jpeg", "jpg", "json", "m4a", "mp3", "mp4", "ogg", "png", "svg", "wav",
    "webm", "webp",
];

/// Extensions that follow the one that decides the kind.
const COPIES: [&str; 4] = ["br", "gz", "map", "zst"];

/// Suffixes that build tools add between the hash and the extension.
const SUFFIXES: [&str; 13] =
    ["min", "chunk", "bundle", "esm", "umd", "module", "worker", "d", "legacy", "p", "s", "s.p", "bg"];

/// The shortest hash of build tools, in characters.
const MIN_LENGTH: usize = 8;

/// Digits of MD5. Only in files of a build tool can they be distinguished from identifiers.
const MD5_LENGTH: usize = 32;

/// Lengths of hexadecimal hashes: 8 of Parcel, webpack and many more, 10 of gulp-rev, 12 of Django, 16 of Next.js and
/// Angular, 20 of webpack, then MD5, SHA-1, SHA-256, SHA-384 and SHA-512. An `ObjectId` of MongoDB has 24.
const HEXADECIMAL_LENGTHS: [usize; 10] = [8, 10, 12, 16, 20, MD5_LENGTH, 40, 64, 96, 128];

/// The kind of a file, by the likelihood that a build tool named it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Media,
    Other,
}

/// Whether the last segment of the key has a hash before the extension: after a `.`, `-` or `_`, or as the whole name.
pub(crate) fn has_fingerprint(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or(key);
    let Some((mut stem, mut extension)) = split(name) else { return false };
    while COPIES.contains(&extension) {
        match split(stem) {
            Some((rest, inner)) if is_kind(inner) || COPIES.contains(&inner) => (stem, extension) = (rest, inner),
            _ => break,
        }
    }
    let kind = kind(extension);
    // Suffixes after the hash: `main.abcdef12.chunk.js`, `bundle.abcdef12.min.js`, `font.abcdef12.ttf.woff2`.
    while let Some((rest, end)) = stem.rsplit_once(['.', '-', '_']) {
        if rest.is_empty() || !(SUFFIXES.contains(&end) || is_kind(end)) {
            break;
        }
        stem = rest;
    }
    if is_uuid(stem) {
        return false;
    }
    let mut tokens = stem.rsplit(['.', '-', '_']);
    let token = tokens.next().unwrap_or(stem);
    let separated = token.len() < stem.len();
    // A part of a longer number: `photo-1506744038136-46273834b3fb.jpg`.
    if kind == Kind::Media
        && tokens.next().is_some_and(|before| before.len() >= MIN_LENGTH && digits(before) == before.len())
    {
        return false;
    }
    is_hexadecimal(token, kind, separated)
        || (kind != Kind::Other && (is_base32(token, kind) || is_mixed(token, kind, separated)))
        || (kind != Kind::Other && ends_in_base64(stem, kind))
}

fn split(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty())
}

fn kind(extension: &str) -> Kind {
    let extension = extension.to_ascii_lowercase();
    if CODE.contains(&&*extension) {
        Kind::Code
    } else if MEDIA.contains(&&*extension) {
        Kind::Media
    } else {
        Kind::Other
    }
}

fn is_kind(extension: &str) -> bool {
    kind(extension) != Kind::Other
}

/// Whether a name ends in a UUID, with hyphens or as 32 digits of version 1, 4 or 7.
fn is_uuid(stem: &str) -> bool {
    const GROUPS: [usize; 5] = [12, 4, 4, 4, 8];
    let mut groups = stem.rsplit('-');
    let is_group = |length: usize, group: Option<&str>| {
        // The first group may follow a separator.
        group
            .and_then(|group| group.rsplit(['_', '.']).next())
            .is_some_and(|group| group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if GROUPS.into_iter().all(|length| is_group(length, groups.next())) {
        return true;
    }
    let token = stem.rsplit(['.', '-', '_']).next().unwrap_or(stem).as_bytes();
    token.len() == MD5_LENGTH
        && matches!(token.get(12), Some(b'1' | b'4' | b'7'))
        && matches!(token.get(16), Some(b'8' | b'9' | b'a' | b'b' | b'A' | b'B'))
}

/// Hexadecimal digits of one case, with letters and digits: without letters it could be a date, without digits a word.
fn is_hexadecimal(token: &str, kind: Kind, separated: bool) -> bool {
    let lower = token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let letters = token.len() - digits(token);
    if !lower || !HEXADECIMAL_LENGTHS.contains(&token.len()) || letters == 0 || digits(token) < 2 {
        return false;
    }
    match kind {
        Kind::Code => separated || token.len() >= 16,
        // A number has a prefix or a suffix of letters, a colour has pairs.
        Kind::Media => (separated || token.len() >= 16) && letters >= 2 && runs(token) >= 4 && different(token) >= 5,
        Kind::Other => token.len() >= 20 && runs(token) >= 8,
    }
}

/// Eight characters of Base32, as esbuild writes them, with a digit before the end: words have digits only at the end.
fn is_base32(token: &str, kind: Kind) -> bool {
    let alphabet = token.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    let word = token.trim_end_matches(|character: char| character.is_ascii_digit());
    if token.len() != MIN_LENGTH || !alphabet || letters(token) < 2 {
        return false;
    }
    match kind {
        Kind::Code => digits(word) >= 1 || longest_consonants(token) >= 5,
        _ => digits(word) >= 2 && runs(token) >= 5,
    }
}

/// Letters of both cases and digits that alternate more than in words: runs for at least half of the characters.
fn is_mixed(token: &str, kind: Kind, separated: bool) -> bool {
    let alphabet = token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let lower = token.bytes().any(|byte| byte.is_ascii_lowercase());
    let upper = token.bytes().any(|byte| byte.is_ascii_uppercase());
    if !alphabet || !lower || digits(token) == token.len() {
        return false;
    }
    let is_short = token.len() == MIN_LENGTH;
    match kind {
        Kind::Code if upper => separated && is_short && looks_random(token),
        Kind::Code => token.len() >= MIN_LENGTH && digits(token) > 0 && runs(token) > token.len() / 2,
        _ => separated && is_short && upper && digits(token) > 0 && runs(token) >= 5,
    }
}

/// The last eight characters after a `-` or `.`, as Vite and Rollup write them; some of them may be `-` or `_`.
fn ends_in_base64(stem: &str, kind: Kind) -> bool {
    let at = stem.len().checked_sub(MIN_LENGTH);
    let Some((rest, token)) = at.and_then(|at| stem.split_at_checked(at)) else {
        return false;
    };
    let alphabet = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let symbols = token.len() - letters(token) - digits(token);
    if !rest.ends_with(['-', '.']) || !alphabet || symbols == 0 {
        return false;
    }
    let lower = token.bytes().any(|byte| byte.is_ascii_lowercase());
    let upper = token.bytes().any(|byte| byte.is_ascii_uppercase());
    match kind {
        Kind::Code => lower && upper && looks_random(token),
        _ => lower && upper && digits(token) > 0 && runs(token) > MIN_LENGTH / 2,
    }
}

/// Whether eight characters of both cases alternate more than in words, or cannot be pronounced. The first one of Rollup's
/// hashes is one of four, which makes the other evidence stronger.
fn looks_random(token: &str) -> bool {
    let rollup = token.starts_with(['A', 'B', 'C', 'D']);
    let digits_inside = token.trim_end_matches(|character: char| character.is_ascii_digit());
    let has_digit = digits(digits_inside) > 0;
    runs(token) >= if has_digit && rollup { 3 } else { 4 }
        || (rollup && runs(token) >= 3 && longest_consonants(token) >= 4)
        || longest_consonants(token) >= 5
        || capitals_inside(token) >= 3
}

/// The longest run of consonants, in any case.
fn longest_consonants(token: &str) -> usize {
    let is_consonant = |byte: u8| byte.is_ascii_alphabetic() && !b"aeiouyAEIOUY".contains(&byte);
    longest(token, is_consonant)
}

/// The longest run of capitals after a small letter or a digit.
fn capitals_inside(token: &str) -> usize {
    longest(token.trim_start_matches(|character: char| character.is_ascii_uppercase()), |byte| {
        byte.is_ascii_uppercase()
    })
}

fn longest(token: &str, of: impl Fn(u8) -> bool) -> usize {
    token.as_bytes().split(|byte| !of(*byte)).map(<[u8]>::len).max().unwrap_or_default()
}

fn digits(token: &str) -> usize {
    token.bytes().filter(u8::is_ascii_digit).count()
}

fn letters(token: &str) -> usize {
    token.bytes().filter(u8::is_ascii_alphabetic).count()
}

/// The number of different characters.
fn different(token: &str) -> usize {
    let mut bytes = token.as_bytes().to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

/// The number of runs: digits, capitals, or a capital with the small letters after it.
fn runs(token: &str) -> usize {
    let mut runs = 0;
    let mut previous = None;
    for byte in token.bytes() {
        let kind = match byte {
            b'a'..=b'z' => 'a',
            b'A'..=b'Z' => 'A',
            b'0'..=b'9' => '0',
            _ => '-',
        };
        let continues = previous == Some(kind) || (previous == Some('A') && kind == 'a');
        runs += usize::from(!continues);
        previous = Some(kind);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::has_fingerprint;

    /// Names with (`+`) and without (`-`) a fingerprint, with their sources.
    const CORPUS: &str = include_str!("../tests/fingerprints.txt");

    fn parse(line: &str) -> (bool, &str, &str) {
        let [sign, source, name] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        (sign == "+", source, name)
    }

    /// The documentation has these values. Print them with
    /// `cargo test -p tidegate-plugin-headers precision_and_recall -- --nocapture`.
    #[test]
    fn precision_and_recall_are_those_of_the_documentation() {
        let names = CORPUS.lines().filter(|line| !line.starts_with('#')).map(parse);
        let (mut right, mut wrong, mut missed) = (0_u32, Vec::new(), Vec::new());
        for (has, source, name) in names {
            match (has, has_fingerprint(name)) {
                (true, true) => right += 1,
                (true, false) => missed.push((source, name)),
                (false, true) => wrong.push((source, name)),
                (false, false) => {}
            }
        }
        let share = |others: usize| f64::from(right) / (f64::from(right) + f64::from(u32::try_from(others).unwrap()));
        let (precision, recall) = (share(wrong.len()), share(missed.len()));
        println!("precision {:.1} %, recall {:.1} %", precision * 100.0, recall * 100.0);
        assert!(precision >= 0.99, "{wrong:?}");
        assert!(recall >= 0.91, "{missed:?}");
    }

    #[test]
    fn numbers_and_identifiers_are_not_hashes() {
        let identifiers = ["document-numbers", "uuids", "identifiers", "downloads", "cameras"];
        let lines = CORPUS.lines().filter(|line| !line.starts_with('#')).map(parse);
        let names: Vec<_> = lines.filter(|(_, source, _)| identifiers.contains(source)).collect();
        assert!(names.len() > 60);
        for (_, _, name) in names {
            assert!(!has_fingerprint(name), "{name}");
        }
        for name in ["", "README", ".htaccess", "a1b2.js", "12345678.png", "index.js"] {
            assert!(!has_fingerprint(name), "{name}");
        }
    }
}

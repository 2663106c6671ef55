//! Recognizes names with a fingerprint: a hash of the content.
//!
//! A missed fingerprint costs a request. A word, version or date that is taken for one costs visitors a year of stale
//! bytes, so in doubt a name has no fingerprint.

/// Suffixes that build tools add between the hash and the extension.
const SUFFIXES: [&str; 10] = ["min", "chunk", "bundle", "esm", "umd", "module", "worker", "d", "legacy", "map"];

/// The shortest hash of build tools, in characters.
const MIN_LENGTH: usize = 8;

/// The longest hash: SHA-512 in hexadecimal digits.
const MAX_LENGTH: usize = 128;

/// Whether the last segment of the key has a hash before the extension: after a `.`, `-` or `_`, or as the whole name.
pub(crate) fn has_fingerprint(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or(key);
    let Some((mut stem, _)) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) else {
        return false;
    };
    // Skip suffixes after the hash: `main.abcdef12.chunk.js.map`, `main.abcdef12.js.gz`.
    while let Some((rest, end)) = stem.rsplit_once(['.', '-']) {
        let is_suffix = SUFFIXES.contains(&end) || ["js", "mjs", "cjs", "css", "wasm", "json"].contains(&end);
        if rest.is_empty() || !is_suffix {
            break;
        }
        stem = rest;
    }
    let token = stem.rsplit(['.', '-', '_']).next().unwrap_or(stem);
    is_hash(token) || ends_in_base64(stem)
}

/// Whether a token between separators is a hash.
fn is_hash(token: &str) -> bool {
    is_hexadecimal(token) || is_base32(token) || is_mixed(token)
}

/// Hexadecimal digits of one case, with letters and digits: without letters it could be a date, without digits a word.
fn is_hexadecimal(token: &str) -> bool {
    let lower = token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let upper = token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    has_length(token) && (lower || upper) && digits(token) >= 2 && token.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Eight characters of Base32, as esbuild writes them, with a digit before the end: words have digits only at the end.
fn is_base32(token: &str) -> bool {
    let alphabet = token.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    let word = token.trim_end_matches(|character: char| character.is_ascii_digit());
    token.len() == MIN_LENGTH && alphabet && digits(word) >= 1
}

/// Letters of both cases and digits that alternate more than in words: runs for at least half of the characters.
fn is_mixed(token: &str) -> bool {
    let alphabet = token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let lower = token.bytes().any(|byte| byte.is_ascii_lowercase());
    let upper = token.bytes().any(|byte| byte.is_ascii_uppercase());
    let min_runs = if upper { token.len() / 2 } else { token.len() / 2 + 1 };
    let kinds = usize::from(lower) + usize::from(upper) + usize::from(digits(token) > 0);
    has_length(token) && alphabet && lower && kinds >= 2 && digits(token) < token.len() && runs(token) >= min_runs
}

/// The last eight characters after a `-` or `.`, as Vite and Rollup write them; some of them may be `-` or `_`.
fn ends_in_base64(stem: &str) -> bool {
    let at = stem.len().checked_sub(MIN_LENGTH);
    let Some((rest, token)) = at.and_then(|at| stem.split_at_checked(at)) else {
        return false;
    };
    let alphabet = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let letters: String = token.chars().filter(char::is_ascii_alphanumeric).collect();
    let lower = letters.bytes().any(|byte| byte.is_ascii_lowercase());
    let upper = letters.bytes().any(|byte| byte.is_ascii_uppercase());
    let separated = rest.ends_with(['-', '.']);
    separated && alphabet && lower && upper && digits(token) > 0 && runs(token) > MIN_LENGTH / 2
}

fn has_length(token: &str) -> bool {
    (MIN_LENGTH..=MAX_LENGTH).contains(&token.len())
}

fn digits(token: &str) -> usize {
    token.bytes().filter(u8::is_ascii_digit).count()
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

    #[test]
    fn recognizes_hashes_of_build_tools() {
        let names = [
            "app.3f9a1c2b.js",
            "assets/app-BwX3kq9Z.css",
            "assets/index-D4k_x-9Q.js",
            "main.abcdef12.chunk.js",
            "main.abcdef12.chunk.js.map",
            "main.0a1b2c3d.js.gz",
            "static/js/787.5c1d8a3e.chunk.js",
            "css/style.min.8f14e45fceea167a5a36dedd4bea2543f0a1b2c3d4e5f60718293a4b5c6d7e8f.css",
            "component---src-pages-index-js-5c3e1d2f4a6b7c8d9e0f.js",
            "chunk-7XQ2ABCD.js",
            "main-5VXZ3KQW.js",
            "rustdoc-ca0dd0c4.css",
            "static.files/FiraSans-Regular-0fe48ade.woff2",
            "polyfills.7b3f1d2c9a8e4f60.js",
            "d41d8cd98f00b204e9800998ecf8427e.png",
            "inter-latin-400-normal-C38fXH4l.woff2",
            "start.Cq3Vx9aB.js",
            "a1b2c3d4e5f6g7h8.js",
        ];
        for name in names {
            assert!(has_fingerprint(name), "{name}");
        }
    }

    /// The share of recognized hashes among random ones, of eight characters of an alphabet.
    fn share(alphabet: &[u8]) -> f64 {
        const HASHES: u32 = 20_000;
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut character = || {
            // xorshift64: random enough for this test.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(alphabet[usize::try_from(state >> 33).unwrap() % alphabet.len()])
        };
        let found = (0..HASHES)
            .filter(|_| {
                let hash: String = (0..8).map(|_| character()).collect();
                has_fingerprint(&format!("assets/app-{hash}.js"))
            })
            .count();
        f64::from(u32::try_from(found).unwrap()) / f64::from(HASHES)
    }

    #[test]
    fn recognizes_most_hashes_of_each_alphabet() {
        let hexadecimal = share(b"0123456789abcdef");
        let base32 = share(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
        let base64 = share(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
        println!("{hexadecimal} {base32} {base64}");
        // The documentation has these values.
        assert!(hexadecimal > 0.95, "{hexadecimal}");
        assert!(base32 > 0.7, "{base32}");
        assert!(base64 > 0.6, "{base64}");
    }

    #[test]
    fn words_versions_and_dates_are_not_hashes() {
        let names = [
            "jquery-3.7.1.js",
            "jquery-3.7.1.min.js",
            "bootstrap.bundle.min.js",
            "index.js",
            "application.js",
            "report-20240131.pdf",
            "report-2024-01-31.pdf",
            "backup-20240131120000.zip",
            "snapshot-20240131T120000Z.tar",
            "photo-1920x1080.jpg",
            "IMG_20240131.jpg",
            "deadbeef.js",
            "facade-decade.js",
            "my-component.js",
            "app-MyWidget.js",
            "app-JavaScript.js",
            "user-GetByKey.js",
            "case-iPhone15.png",
            "docs-Version2.html",
            "docs-VERSION2.pdf",
            "LICENSE-OVERVIEW.txt",
            "chapter-module12.js",
            "lib-Win32Api.js",
            "movie-h264x265.mp4",
            "es2015-polyfills.js",
            "12345678.png",
            "1.0.0-rc.12345678.js",
            "favicon-32x32.png",
            "apple-touch-icon.png",
            "fontawesome-webfont.woff2",
            "README",
            ".htaccess",
            "",
            "a1b2.js",
        ];
        for name in names {
            assert!(!has_fingerprint(name), "{name}");
        }
    }
}

//! Whether text in the form of a secret is one: checksums, entropy, and the values that documentation uses.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Words in values that stand for a secret, in lower case.
const PLACEHOLDERS: [&str; 16] = [
    "example",
    "sample",
    "dummy",
    "placeholder",
    "changeme",
    "change_me",
    "redacted",
    "your",
    "fake",
    "xxxx",
    "....",
    "****",
    "insert",
    "foobar",
    "not-a-real",
    "secret-here",
];

/// Values in public documentation and software that are no secrets.
const KNOWN: [&str; 8] = [
    // Google, "Using API keys".
    "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
    // jwt.io: the signature of its first example.
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "TJVA95OrM7E2cBab30RMHrHDcEfxjoYZgeFONFh7HgQ",
    // RFC 7519, section 3.1.
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    // Microsoft, "Use the Azurite emulator": the key of every emulator.
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    // Microsoft, "Use the Azure Cosmos DB emulator".
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==",
    // Supabase, "Self-hosting with Docker": the keys of every demo.
    "dc_X5iR_VP_qT0zsiyj_I_OZ2T9FtRU2BBNWN8Bu4GE",
    "M9jrxyvPLkUxWgOYSf5dNdJ8v_eRrq810ShFRT8N-6M",
];

/// Whether a value stands for a secret.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    let lower: String = value.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    let contains_known = || KNOWN.iter().any(|known| contains(value, known.as_bytes()));
    PLACEHOLDERS.iter().any(|word| lower.contains(word)) || has_series(lower.as_bytes()) || contains_known()
}

pub(crate) fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len().max(1)).any(|window| window == word)
}

/// Whether six bytes in a row are equal, or count up or down: `000000`, `123456`, `fedcba`.
fn has_series(value: &[u8]) -> bool {
    let steps = |by: u8| {
        let mut length = 0;
        value.windows(2).any(|pair| {
            let follows = matches!(pair, [one, other] if one.wrapping_add(by) == *other);
            length = if follows { length + 1 } else { 0 };
            length == 5
        })
    };
    steps(0) || steps(1) || steps(u8::MAX)
}

/// Shannon entropy, in bits for each byte.
pub(crate) fn entropy(value: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "tokens have less than 2^23 bytes")]
    let total = value.len().max(1) as f32;
    let share = |count: u16| f32::from(count) / total;
    counts.iter().filter(|count| **count > 0).map(|count| -share(*count) * share(*count).log2()).sum()
}

/// A value that a generator made: of 20 random hexadecimal digits or letters, less than one in a million has less entropy.
pub(crate) fn random(value: &[u8]) -> bool {
    entropy(value) >= 2.6 && !is_placeholder(value)
}

/// A random value of letters and digits, which an identifier of a program is not.
pub(crate) fn mixed(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    digits > 1 && letters > 1 && entropy(value) >= 3.2 && !is_placeholder(value)
}

/// A random value with both cases.
pub(crate) fn both_cases(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase)
        && entropy(value) >= 3.2
        && !is_placeholder(value)
}

/// The last six digits are the CRC-32 of the others, in base 62. Source: GitHub, "Behind GitHub's new authentication token
/// formats", and npm, "Changes to npm's automation tokens".
pub(crate) fn crc32_base62(value: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((body, checksum)) = value.split_last_chunk::<6>() else { return false };
    let mut rest = crc32fast::hash(body);
    let matches = checksum.iter().rev().all(|digit| {
        let expected = DIGITS.get(rest as usize % 62);
        rest /= 62;
        expected == Some(digit)
    });
    matches && rest == 0
}

/// A key of age: 58 characters of Bech32, of which the last six are a checksum. Source: BIP 173.
pub(crate) fn age_key(value: &[u8]) -> bool {
    const CHARACTERS: &[u8; 32] = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let prefix = b"age-secret-key-";
    let high = prefix.iter().map(|byte| u32::from(byte >> 5));
    let low = prefix.iter().map(|byte| u32::from(byte & 31));
    let value_of =
        |byte: &u8| (0_u32..).zip(CHARACTERS).find(|(_, known)| *known == byte).map_or(32, |(value, _)| value);
    let data = value.iter().map(value_of);
    let checksum = high.chain([0]).chain(low).chain(data).fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let bits = (0..5).zip(GENERATORS).filter(|(bit, _)| top >> bit & 1 == 1);
        bits.fold((sum & 0x01ff_ffff) << 5 ^ value, |sum, (_, generator)| sum ^ generator)
    });
    checksum == 1
}

/// The start of base64 text, decoded.
pub(crate) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    // Only the bits that are left of the last character may be set.
    let whole = text.len() / 4 * 4;
    let text = text.get(..if text.len() % 4 == 1 { whole } else { text.len() })?;
    STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()
}

/// A key of a browser of Supabase, which is public, has the role `anon`. Other tokens have a header with an algorithm.
pub(crate) fn json_web_token(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b'.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    // The prefix `eyJ` is not a part of the value.
    let header = decoded(&[b"eyJ", header].concat());
    let is_header = header.is_some_and(|header| contains(&header, b"\"alg\""));
    let claims = decoded(claims).unwrap_or_default();
    let is_public = contains(&claims, b"\"anon\"") || contains(&claims, b"John Doe");
    is_header && !is_public && signature.len() >= 20 && !KNOWN.iter().any(|known| contains(signature, known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{age_key, crc32_base62, entropy, is_placeholder, json_web_token, mixed, random};

    #[test]
    fn checksums_of_github_and_npm() {
        // Source: GitHub, "Behind GitHub's new authentication token formats" describes it; the value is a revoked one that
        // many implementations test with.
        assert!(crc32_base62(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"));
        assert!(!crc32_base62(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18"));
        assert!(!crc32_base62(b"aQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"));
        assert!(!crc32_base62(b"short"));
    }

    #[test]
    fn checksums_of_age() {
        // Source: the specification of age, C2SP/age, "X25519 recipient type".
        assert!(age_key(b"GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"));
        assert!(!age_key(b"GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEQ"));
    }

    #[test]
    fn placeholders_are_no_secrets() {
        for value in [
            "AKIAIOSFODNN7EXAMPLE",
            "xxxxxxxxxxxxxxxxxxxx",
            "00000000000000000000",
            "abcdefghijklmnopqrst",
            "your-token-goes-here",
            "1234567890abcdef1234",
            "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
            "fedcba9876543210aaaa",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in ["zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"] {
            assert!(
                !is_placeholder(value.as_bytes()) && random(value.as_bytes()) && mixed(value.as_bytes()),
                "{value}"
            );
        }
        assert!(!mixed(b"thisIsTheNameOfAFunctionInAProgram"));
        assert!(entropy(b"aaaa") < 0.01 && (entropy(b"abcd") - 2.0).abs() < 0.01);
    }

    #[test]
    fn tokens_of_browsers_are_public() {
        // {"alg":"HS256","typ":"JWT"} and {"role":"anon"}, {"role":"service_role"}
        let token = |claims: &str| {
            format!("hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{claims}.kkH5lFbd8bX1w0Qm3u5Zp6Vw2Yt9Rr4Ee7Tg1Hh8Jj0")
        };
        assert!(!json_web_token(token("eyJyb2xlIjoiYW5vbiJ9").as_bytes()));
        assert!(json_web_token(token("eyJyb2xlIjoic2VydmljZV9yb2xlIn0").as_bytes()));
        assert!(!json_web_token(
            b"hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
        ));
        assert!(!json_web_token(b"not.a.token"));
    }
}

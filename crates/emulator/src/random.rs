//! Random IDs and secrets in AWS's formats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The machine provides no random numbers.
pub(crate) use getrandom::Error as RandomError;

/// The alphabet of AWS's unique IDs.
const ALPHABET: [char; 32] = [
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W',
    'X', 'Y', 'Z', '2', '3', '4', '5', '6', '7',
];

/// An ID: `prefix` and `length` random letters and digits.
pub(crate) fn identifier(prefix: &str, length: usize) -> Result<String, RandomError> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes)?;
    let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    Ok(prefix.chars().chain(letters.copied()).collect())
}

/// A random UUID, version 4.
pub(crate) fn uuid() -> Result<String, RandomError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) | (0x4 << 76);
    let number = number & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
    Ok(parts.join("-"))
}

/// A secret access key: 40 characters of base64.
pub(crate) fn secret() -> Result<String, RandomError> {
    let mut bytes = [0; 30];
    getrandom::fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes))
}

/// A session token: opaque, as AWS's, but shorter.
pub(crate) fn token() -> Result<String, RandomError> {
    let mut bytes = [0; 150];
    getrandom::fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes))
}

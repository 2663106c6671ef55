//! Secrets whose form is more than a prefix: the functions get the text and the position of a keyword.

use crate::check::{both_cases, contains, decoded, entropy, is_placeholder, mixed, random};
use crate::format::{Part, Set, length, starts};

/// A secret in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundSecret {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether a message may show its first characters.
    pub(crate) shown: bool,
}

impl FoundSecret {
    pub(crate) fn shown(start: usize, end: usize) -> Option<Self> {
        Some(Self { start, end, shown: true })
    }

    fn hidden(start: usize, end: usize) -> Option<Self> {
        Some(Self { start, end, shown: false })
    }
}

/// Limit of the text around a keyword, in bytes. A chunk of a file overlaps with the next one by more.
const WINDOW: usize = 8 << 10;

fn after(text: &[u8], at: usize) -> Option<&[u8]> {
    text.get(at..text.len().min(at + WINDOW))
}

/// The position of the first byte of the run of `set` that ends before `at`.
fn run_before(text: &[u8], at: usize, set: Set, limit: usize) -> usize {
    let before = text.get(at.saturating_sub(limit)..at).unwrap_or_default();
    at - before.iter().rev().take_while(|byte| set.contains(**byte)).count()
}

/// A private key in PEM, in the form of OpenSSH, PGP or PuTTY, also in a string with escapes. A key without a body, as in
/// documentation, is none.
pub(crate) fn private_key(text: &[u8], at: usize) -> Option<FoundSecret> {
    let window = after(text, at)?;
    if let Some(version) = window.strip_prefix(b"PuTTY-User-Key-File-") {
        let end = find(window, b"Private-Lines: ")?;
        let first = window.get(end + b"Private-Lines: ".len())?;
        // A program that writes such files has the texts without the numbers.
        let is_file = version.first().is_some_and(u8::is_ascii_digit) && first.is_ascii_digit();
        return if is_file { FoundSecret::hidden(at, at + end) } else { None };
    }
    let label = window.strip_prefix(b"-----BEGIN ")?;
    let label = label.get(..find(label.get(..64.min(label.len()))?, b"-----")?)?;
    if !(label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK") {
        return None;
    }
    let rest = window.get(b"-----BEGIN -----".len() + label.len()..)?;
    let end = find(rest, b"-----END").or_else(|| find(rest, b"-----"))?;
    let body = body(rest.get(..end)?)?;
    let is_key = if contains(rest.get(..end)?, b"Proc-Type") || label.starts_with(b"PGP") {
        body.len() >= 64 && random(&body)
    } else {
        let bytes = decoded(&body)?;
        bytes.starts_with(b"openssh-key-v1\0") && bytes.len() > 100 || is_sequence(&bytes)
    };
    is_key.then(|| FoundSecret::hidden(at, at + end))?
}

/// The base64 of a body, without line breaks, escapes and headers. `None` if there is anything else.
fn body(text: &[u8]) -> Option<Vec<u8>> {
    // Lines end with a line feed, or with its escape in a string.
    let text = std::str::from_utf8(text).ok()?.replace("\\r", "").replace("\\n", "\n").replace("&#10;", "\n");
    let mut base64 = Vec::with_capacity(text.len());
    for line in text.split(['\n', '\r']) {
        // Code joins the lines with `+`, which is a character of base64 as well.
        let line = line.trim().trim_end_matches(['\\', ',', ';']);
        let joined = line.strip_suffix('+').filter(|rest| rest.ends_with([' ', '"', '\'', '`']));
        let is_header = line.contains(": ");
        for part in joined.unwrap_or(line).split(' ').filter(|_| !is_header) {
            let part = part.trim_matches(['"', '\'', '`']).trim_end_matches('=');
            // The checksum of PGP starts with `=`.
            let part = if part.starts_with('=') { "" } else { part };
            if !part.bytes().all(|byte| Set::Base64.contains(byte)) {
                return None;
            }
            base64.extend(part.bytes());
        }
    }
    Some(base64)
}

/// Whether bytes are one SEQUENCE of DER, which has its length at the start: what is cut or made up is not.
fn is_sequence(bytes: &[u8]) -> bool {
    let (header, length) = match bytes {
        [0x30, length @ 0..=0x7f, ..] => (2, usize::from(*length)),
        [0x30, 0x81, length, ..] => (3, usize::from(*length)),
        [0x30, 0x82, high, low, ..] => (4, usize::from(*high) << 8 | usize::from(*low)),
        _ => return false,
    };
    length >= 32 && bytes.len() == header + length
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

/// A JSON Web Key with its private part: `d`, or `k` of a symmetric key.
pub(crate) fn json_web_key(text: &[u8], at: usize) -> Option<FoundSecret> {
    let before = text.get(at.saturating_sub(WINDOW / 2)..at)?;
    let start = at - before.len() + before.iter().rposition(|byte| *byte == b'{')?;
    let end = start + after(text, start)?.iter().position(|byte| *byte == b'}')?;
    let object = text.get(start..end)?;
    let value = |name: &[u8]| {
        let value = object.get(find(object, name)? + name.len()..)?;
        let value = value.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
        value.split(|byte| *byte == b'"').next()
    };
    let is_symmetric = value(b"\"kty\"") == Some(b"oct");
    let secret = value(if is_symmetric { b"\"k\"" } else { b"\"d\"" })?;
    let is_secret = secret.len() >= 32 && secret.iter().all(|byte| Set::Base64Url.contains(*byte)) && random(secret);
    is_secret.then(|| FoundSecret::hidden(start, end))?
}

/// An access key id. A signed URL has one as well, which is no secret.
pub(crate) fn aws_access_key(text: &[u8], at: usize) -> Option<FoundSecret> {
    if !starts(text, at) || text.get(..at)?.ends_with(b"Credential=") {
        return None;
    }
    let rest = text.get(at + 4..)?;
    let length = length(rest, &[Part::Of(Set::Base32, 16, 16)])?;
    random(rest.get(..length)?).then(|| FoundSecret::shown(at, at + 4 + length))?
}

/// The secret of an access key: 40 characters after its name.
pub(crate) fn aws_secret_key(text: &[u8], at: usize) -> Option<FoundSecret> {
    let rest = after(text, at)?;
    let name = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let gap = rest.get(name..)?.iter().take(12).take_while(|byte| b" \t\\\"':=>,`".contains(byte)).count();
    let start = name + gap;
    let length = length(rest.get(start..)?, &[Part::Of(Set::Base64, 40, 40)])?;
    let value = rest.get(start..start + length)?;
    (gap > 0 && both_cases(value) && entropy(value) >= 4.0)
        .then(|| FoundSecret::shown(at + start, at + start + length))?
}

/// Three characters and a digit before the keyword `Q~`, and 31 to 34 after it.
pub(crate) fn azure_client_secret(text: &[u8], at: usize) -> Option<FoundSecret> {
    let start = at.checked_sub(4)?;
    let is_set = |byte: &u8| Set::Dotted.contains(*byte) || *byte == b'~';
    let rest = text.get(at + 2..)?;
    let length = rest.iter().take(36).take_while(|byte| is_set(byte)).count();
    let whole = text.get(start..at + 2 + length)?;
    let is_form = (31..=34).contains(&length) && text.get(at - 1)?.is_ascii_digit() && whole.iter().all(is_set);
    let is_bounded = start.checked_sub(1).and_then(|before| text.get(before)).is_none_or(|byte| !is_set(byte));
    (is_form && is_bounded && mixed(whole)).then(|| FoundSecret::shown(start, at + 2 + length))?
}

/// Random letters and digits of both cases: the prefix `cio` is short.
pub(crate) fn crates_io(value: &[u8]) -> bool {
    mixed(value) && both_cases(value) && entropy(value) >= 3.8
}

/// Random letters and digits of both cases.
pub(crate) fn atlassian(value: &[u8]) -> bool {
    mixed(value) && both_cases(value)
}

pub(crate) fn terraform(text: &[u8], at: usize) -> Option<FoundSecret> {
    let start = run_before(text, at, Set::Alphanumeric, 16);
    let rest = text.get(at + ".atlasv1.".len()..)?;
    let length = length(rest, &[Part::Of(Set::Base64Url, 60, 70)])?;
    (at - start == 14 && random(rest.get(..length)?))
        .then(|| FoundSecret::shown(start, at + ".atlasv1.".len() + length))?
}

pub(crate) fn slack_webhook(text: &[u8], at: usize) -> Option<FoundSecret> {
    let rest = text.get(at + "hooks.slack.com/".len()..)?;
    let length = rest.iter().take(200).take_while(|byte| Set::Base64Url.contains(**byte) || **byte == b'/').count();
    let path = rest.get(..length)?;
    let secret = path.rsplit(|byte| *byte == b'/').next()?;
    let segments = path.split(|byte| *byte == b'/').count();
    (segments >= 4 && secret.len() >= 20 && both_cases(secret) && !is_placeholder(path))
        .then(|| FoundSecret::shown(at, at + 16 + length))?
}

pub(crate) fn discord_webhook(text: &[u8], at: usize) -> Option<FoundSecret> {
    let rest = after(text, at)?;
    let start = find(rest, b"/webhooks/")? + "/webhooks/".len();
    let parts = [Part::Of(Set::Digits, 17, 20), Part::Text("/"), Part::Of(Set::Base64Url, 60, 80)];
    let length = length(rest.get(start..)?, &parts)?;
    random(rest.get(start..start + length)?).then(|| FoundSecret::shown(at, at + start + length))?
}

pub(crate) fn teams_webhook(text: &[u8], at: usize) -> Option<FoundSecret> {
    let rest = after(text, at)?;
    let rest = rest
        .get(..rest.iter().take(400).position(|byte| b" \"'<>`\\\n\r".contains(byte)).unwrap_or(400.min(rest.len())))?;
    let secret = find(rest, b"/IncomingWebhook/")? + "/IncomingWebhook/".len();
    let value = rest.get(secret..)?.split(|byte| *byte == b'/').next()?;
    (value.len() >= 32 && random(value)).then(|| FoundSecret::shown(at, at + rest.len()))?
}

pub(crate) fn telegram(text: &[u8], at: usize) -> Option<FoundSecret> {
    let start = run_before(text, at, Set::Digits, 17);
    let rest = text.get(at + 1..)?;
    let length = length(rest, &[Part::Of(Set::Base64Url, 35, 35)])?;
    let is_form = (8..=10).contains(&(at - start)) && (starts(text, start) || text.get(..start)?.ends_with(b"bot"));
    (is_form && both_cases(rest.get(..length)?)).then(|| FoundSecret::shown(start, at + 1 + length))?
}

pub(crate) fn openai(text: &[u8], at: usize) -> Option<FoundSecret> {
    let start = run_before(text, at, Set::Base64Url, 200);
    let rest = text.get(at + 8..)?;
    let length = length(rest, &[Part::Of(Set::Base64Url, 20, 160)])?;
    let before = text.get(start..at)?;
    let whole = text.get(start..at + 8 + length)?;
    (before.starts_with(b"sk-") && before.len() >= 23 && random(whole))
        .then(|| FoundSecret::shown(start, at + 8 + length))?
}

/// `scheme://user:password@host`, unless the password or the host is one of documentation.
pub(crate) fn database_url(text: &[u8], at: usize) -> Option<FoundSecret> {
    let rest = after(text, at)?;
    let start = find(rest.get(..20.min(rest.len()))?, b"://")? + 3;
    let authority = rest.get(start..)?;
    let end = authority
        .iter()
        .take(300)
        .position(|byte| b"/ \"'<>`\\\n\r\t?#,;&".contains(byte))
        .unwrap_or(authority.len().min(300));
    let authority = authority.get(..end)?;
    let at_sign = authority.iter().rposition(|byte| *byte == b'@')?;
    let (user, password) =
        authority.get(..at_sign)?.split_at(authority.iter().position(|byte| *byte == b':')?.min(at_sign));
    let password = password.strip_prefix(b":")?;
    let host = authority.get(at_sign + 1..)?.to_ascii_lowercase();
    let name = host.split(|byte| *byte == b':').next()?;
    let is_local = !contains(name, b".")
        || [&b"localhost"[..], b"127.", b"0.0.0.0", b"192.168.", b"10."].iter().any(|local| name.starts_with(local));
    let is_documentation = [&b"example"[..], b"host", b".invalid", b".test", b"your", b"server", b"domain", b".local"]
        .iter()
        .any(|word| contains(name, word));
    let is_value = |byte: &u8| !b"$({[*%<|}])".contains(byte);
    let is_secret = password.len() >= 8
        && password.iter().all(is_value)
        && password.iter().any(u8::is_ascii_digit)
        && password != user
        && entropy(password) >= 2.5
        && !contains(&password.to_ascii_lowercase(), b"pass")
        && !is_placeholder(password);
    (is_secret && !is_local && !is_documentation).then(|| FoundSecret::shown(at, at + start + end))?
}

/// A line `user:hash` of a password file.
pub(crate) fn password_hash(text: &[u8], at: usize) -> Option<FoundSecret> {
    let before = text.get(at.saturating_sub(100)..at)?;
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
    let user = before.get(line..)?;
    let is_line = line > 0 || before.len() == at;
    let rest = text.get(at + 1..)?;
    let length =
        rest.iter().take(200).take_while(|byte| Set::Base64.contains(**byte) || b"$.={}".contains(byte)).count();
    let value = rest.get(..length)?;
    let is_user = !user.is_empty() && user.iter().all(|byte| Set::Dotted.contains(*byte) || *byte == b'@');
    let ends = rest.get(length).is_none_or(|byte| matches!(byte, b'\n' | b'\r' | b':'));
    let secret = value.rsplit(|byte| *byte == b'$' || *byte == b'}').next()?;
    (is_line && is_user && ends && secret.len() >= 22 && random(secret))
        .then(|| FoundSecret::hidden(at - user.len(), at + 1 + length))?
}

/// A value that is assigned to a name such as `JWT_SECRET`, in the style of environments, in a file, in code or in JSON.
pub(crate) fn environment(text: &[u8], at: usize) -> Option<FoundSecret> {
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let before = text.get(at.saturating_sub(64)..at)?;
    let start = at - before.iter().rev().take_while(|byte| is_name(**byte)).count();
    let rest = text.get(start..text.len().min(start + 600))?;
    let name = rest.iter().take_while(|byte| is_name(**byte)).count();
    // A name with two keywords has one secret. Frameworks publish what these prefixes have.
    let is_later =
        |word: &&[u8]| find(rest.get(..name).unwrap_or_default(), word).is_some_and(|found| start + found < at);
    let is_public = contains(rest.get(..name)?, b"PUBLIC")
        || [&b"VITE_"[..], b"REACT_APP_", b"GATSBY_"].iter().any(|prefix| rest.starts_with(prefix));
    // What is about a secret is none: its header, its prefix, its file.
    let is_about = |word: &[u8]| contains(rest.get(at - start..name).unwrap_or_default(), word);
    if KEYWORDS.iter().any(is_later) || is_public || ABOUT.into_iter().any(is_about) {
        return None;
    }
    let mut gap = rest.get(name..)?;
    if gap.first().is_some_and(|byte| b"\"'`".contains(byte)) {
        gap = gap.get(1..)?;
    }
    gap = trim(gap).strip_prefix(b"=").or_else(|| trim(gap).strip_prefix(b":"))?;
    gap = trim(gap);
    let quote = gap.first().copied().filter(|byte| b"\"'`".contains(byte));
    let value = if quote.is_some() { gap.get(1..)? } else { gap };
    let length =
        value.iter().take(400).take_while(|byte| Set::Base64.contains(**byte) || b"_-=.~!@#%^*".contains(byte)).count();
    let end = value.get(length).copied();
    let is_whole = match quote {
        Some(quote) => end == Some(quote),
        None => end.is_none_or(|byte| b"\n\r".contains(&byte)),
    };
    let value_end = start + rest.len() - value.len() + length;
    let value = value.get(..length)?;
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let looks_random = value.len() >= 16 && letters >= 4 && digits >= 2 && entropy(value) >= 3.3 && !has_words(value);
    (is_whole && looks_random && !is_placeholder(value)).then(|| FoundSecret::hidden(start, value_end))?
}

/// The keywords of the rule.
const KEYWORDS: [&[u8]; 8] =
    [b"SECRET", b"PASSWORD", b"_TOKEN", b"API_KEY", b"PRIVATE_KEY", b"ENCRYPTION_KEY", b"SIGNING_KEY", b"AUTH_KEY"];

/// Words in names of what is about a secret.
const ABOUT: [&[u8]; 16] = [
    b"PREFIX",
    b"HEADER",
    b"NAME",
    b"FIELD",
    b"PARAM",
    b"COOKIE",
    b"TYPE",
    b"PATH",
    b"FILE",
    b"URL",
    b"URI",
    b"ENDPOINT",
    b"_ID",
    b"ARN",
    b"HASH",
    b"VERSION",
];

/// Whether a value is made of words, such as a name or a path: long runs of lower case letters.
fn has_words(value: &[u8]) -> bool {
    let mut runs = value.split(|byte| !byte.is_ascii_lowercase());
    runs.any(|run| run.len() > 6)
        || contains(value, b"//")
        || value.starts_with(b"/")
        || value.starts_with(b"process.env")
}

fn trim(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text.get(spaces..).unwrap_or_default()
}

/// An inline source map with the text of its sources.
pub(crate) fn inline_source_map(text: &[u8], at: usize) -> Option<FoundSecret> {
    let window = after(text, at)?;
    let start = window.iter().position(|byte| *byte == b',')? + 1;
    let value = window.get(start..)?;
    let length = value.iter().take_while(|byte| Set::Base64.contains(**byte)).count();
    let map = if contains(window.get(..start)?, b";base64") {
        decoded(value.get(..length / 4 * 4)?)?
    } else {
        value.to_vec()
    };
    // A long map is cut, and its start names the sources.
    (contains(&map, b"sources") && map.trim_ascii_start().starts_with(b"{") || contains(&map, b"%22sources"))
        .then(|| FoundSecret::hidden(at, at + start))?
}

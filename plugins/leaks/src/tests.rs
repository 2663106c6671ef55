//! The policy in the SDK's harness, with every size of batches. Secrets are made by the tests: a real one must not be in
//! a repository.

#![expect(clippy::string_slice, clippy::cast_possible_truncation, reason = "made of ASCII, and of small numbers")]

use proptest::prelude::*;
use tidegate_plugin::testing::{TestPlan, canonical, judge};
use tidegate_plugin::{ChangeKind, Judgement, Verdict};

use super::check::{crc32_base62, is_placeholder};
use super::format::{Part, Set};
use super::rules::{Form, RULES};
use super::scan::{FileScan, SecretScanner};
use super::{LeakSettings, Leaks};

fn plan(files: &[(&str, &str)]) -> TestPlan {
    files.iter().fold(TestPlan::new(), |plan, (key, text)| {
        plan.change(ChangeKind::Create, key, text.len() as u64).content(key, *text)
    })
}

fn judgement(settings: &str, plan: &TestPlan) -> Judgement {
    judge::<Leaks>(settings, plan).unwrap()
}

/// Key and code of each finding.
fn found(judgement: &Judgement) -> Vec<(&str, &str)> {
    judgement.findings.iter().map(|finding| (finding.key.as_deref().unwrap_or(""), finding.code.as_str())).collect()
}

thread_local! {
    static SCANNER: SecretScanner = SecretScanner::new(|_| true);
}

/// What a file has, if its parts end at these positions.
fn scanned(text: &[u8], parts: &[usize]) -> Vec<super::Found> {
    let mut file = FileScan::default();
    let mut cuts: Vec<usize> = parts.iter().map(|cut| cut % (text.len() + 1)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    for pair in cuts.windows(2) {
        let (is_first, is_last) = (pair[0] == 0, pair[1] == text.len());
        SCANNER.with(|scanner| scanner.scan(&mut file, "f", &text[pair[0]..pair[1]], is_first, is_last));
    }
    file.found
}

/// The rules that a file with this text violates.
fn codes(text: &str) -> Vec<&'static str> {
    scanned(text.as_bytes(), &[]).into_iter().map(|found| found.rule).collect()
}

/// A deterministic source of characters.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of(&mut self, set: Set, length: usize) -> String {
        let all: Vec<u8> = (b'!'..=b'~')
            .filter(|byte| set.contains(*byte) && !byte.is_ascii_uppercase() | (set != Set::Hex))
            .collect();
        (0..length).map(|_| char::from(all[(self.next() >> 20) as usize % all.len()])).collect()
    }
}

/// A token of this form. `None` if its checksum cannot be made here.
fn token(random: &mut Random, keyword: &str, parts: &[Part], check: fn(&[u8]) -> bool) -> Option<String> {
    for _ in 0..200 {
        let mut body: String = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => (*text).to_owned(),
                Part::Of(set, min, max) => {
                    let length = min + (random.next() as usize) % (max.min(&(min + 20)) - min + 1);
                    random.of(*set, length)
                }
            })
            .collect();
        if check as usize == crc32_base62 as fn(&[u8]) -> bool as usize {
            body = with_checksum(&body[..30]);
        }
        if check(body.as_bytes()) && !body.ends_with(['.', '-', '_']) {
            return Some(format!("{keyword}{body}"));
        }
    }
    None
}

fn with_checksum(body: &str) -> String {
    let digits: Vec<char> = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".chars().collect();
    let mut rest = crc32fast::hash(body.as_bytes()) as usize;
    let mut checksum: Vec<char> = Vec::new();
    for _ in 0..6 {
        checksum.push(digits[rest % 62]);
        rest /= 62;
    }
    body.chars().chain(checksum.into_iter().rev()).collect()
}

/// Every form of the table, in the places where builds have it; and what has nearly the form.
#[test]
fn finds_each_token_where_builds_have_it() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut made = 0;
    for rule in RULES {
        let Form::Token(parts, check) = rule.form else { continue };
        for keyword in rule.keywords {
            let Some(token) = token(&mut random, keyword, parts, check) else { continue };
            made += 1;
            for text in [
                token.clone(),
                format!("const t=\"{token}\";"),
                format!("curl -H 'Authorization: Bearer {token}' x"),
                format!("{{\"a\":\"b\\n{token}\\nc\"}}"),
                format!("<p>{token}</p>"),
                format!("https://x.test/?t={token}&b=1"),
            ] {
                assert_eq!(codes(&text), [rule.name], "{text}");
            }
            assert_eq!(codes(&format!("x{token}")), [] as [&str; 0], "{token}");
            // A form with a range of lengths may end earlier or later.
            let is_fixed = |part: &Part| !matches!(part, Part::Of(_, min, max) if min != max);
            if parts.iter().all(is_fixed) {
                for text in [format!("{token}x9Z_"), token[..token.len() - 9].to_owned()] {
                    assert_eq!(codes(&text), [] as [&str; 0], "{text}");
                }
            }
        }
    }
    assert!(made > 90, "only {made} keywords were tested");
}

#[test]
fn a_message_has_at_most_four_characters_of_a_secret() {
    let mut random = Random(7);
    for rule in RULES {
        let Form::Token(parts, check) = rule.form else { continue };
        let Some(token) = token(&mut random, rule.keywords[0], parts, check) else { continue };
        let judgement = judgement("{}", &plan(&[("f.txt", &format!("\n\n{token}\n{token}"))]));
        let message = &judgement.findings[0].message;
        assert!(message.contains("in line 3") && message.contains("and 1 more"), "{message}");
        assert!(!message.replace(rule.what, "").replace(rule.name, "").contains(&token[..5]), "{message}");
    }
}

fn pem(label: &str, body: &[u8], line_end: &str) -> String {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD.encode(body);
    let lines: Vec<String> =
        base64.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN {label}-----{line_end}{}{line_end}-----END {label}-----", lines.join(line_end))
}

/// A SEQUENCE of DER with this content.
fn sequence(length: usize) -> Vec<u8> {
    let mut random = Random(length as u64 + 1);
    let mut bytes = match length {
        0..=127 => vec![0x30, length as u8],
        128..=255 => vec![0x30, 0x81, length as u8],
        _ => vec![0x30, 0x82, (length >> 8) as u8, length as u8],
    };
    bytes.extend((0..length).map(|_| random.next() as u8));
    bytes
}

#[test]
fn finds_private_keys_in_every_form() {
    let openssh = [b"openssh-key-v1\0".to_vec(), sequence(300)].concat();
    for line_end in ["\n", "\r\n", "\\n", "\\r\\n", "\",\n\"", "\\n\" +\n  \"", "\n    ", "&#10;"] {
        for (label, body) in [
            ("RSA PRIVATE KEY", sequence(1_190)),
            ("PRIVATE KEY", sequence(46)),
            ("PRIVATE KEY", sequence(2_374)),
            ("EC PRIVATE KEY", sequence(119)),
            ("ENCRYPTED PRIVATE KEY", sequence(200)),
            ("DSA PRIVATE KEY", sequence(700)),
            ("OPENSSH PRIVATE KEY", openssh.clone()),
        ] {
            let text = format!("k = \"{}\"", pem(label, &body, line_end));
            assert_eq!(codes(&text), ["private-key"], "{text}");
        }
    }
    let pgp = format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{}", &pem("X", &sequence(500), "\n")[17..]);
    assert_eq!(codes(&pgp.replace("END X", "END PGP PRIVATE KEY BLOCK")), ["private-key"]);
    let legacy = pem("RSA PRIVATE KEY", &sequence(600), "\n").replacen(
        "KEY-----\n",
        "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0011\n\n",
        1,
    );
    assert_eq!(codes(&legacy), ["private-key"]);
    assert_eq!(codes("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\nAAAA"), ["private-key"]);
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
    assert_eq!(codes(jwk), ["private-key"]);
    let symmetric = r#"[{ "k" : "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75", "kty" : "oct" }]"#;
    assert_eq!(codes(symmetric), ["private-key"]);

    for text in [
        pem("PUBLIC KEY", &sequence(300), "\n"),
        pem("CERTIFICATE", &sequence(900), "\n"),
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA...\n-----END RSA PRIVATE KEY-----".to_owned(),
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----".to_owned(),
        "PuTTY-User-Key-File-${version}: Private-Lines: ".to_owned(),
        "var ppk = 'PuTTY-User-Key-File-2: ' + algorithm + '\\r\\n'; ppk += 'Private-Lines: '".to_owned(),
        "var i=\"PuTTY-User-Key-File-2: ssh-rsa\\r\\n\";i+=\"Private-Lines: \"+n".to_owned(),
        "'-----BEGIN PGP PRIVATE KEY BLOCK-----\\n' + h + ')' + d; const x = function(a, b) { return a }; '-----END PGP PRIVATE KEY BLOCK-----'".to_owned(),
        "starts with <code>-----BEGIN PRIVATE KEY-----</code>".to_owned(),
        "-----BEGIN PRIVATE KEY-----\nYOUR KEY HERE\n-----END PRIVATE KEY-----".to_owned(),
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}"#.to_owned(),
    ] {
        assert_eq!(codes(&text), [] as [&str; 0], "{text}");
    }
}

#[test]
fn finds_secrets_by_what_is_around_them() {
    let mut random = Random(42);
    let secret = || "q8Zr3Vt7Lm1Kx9Pw2Hs6Yd4Bn0Cf5Gj8Ta1Qe/+Z".to_owned();
    let letters = random.of(Set::Alphanumeric, 74);
    for (text, rule) in [
        ("k = AKIAQ3EGRZ7VNWYXL2KD".to_owned(), "aws-access-key"),
        (format!("aws_secret_access_key = {}\n", secret()), "aws-secret-key"),
        (format!("{{secretAccessKey:\"{}\"}}", secret()), "aws-secret-key"),
        (format!("export AWS_SECRET_ACCESS_KEY='{}'", secret()), "aws-secret-key"),
        ("x = 'aB3".to_owned() + "8Q~kT4wZ9vN2mX7cR5pL1sD6fG3hJ8yB0aE.'", "azure-key"),
        (format!("https://hooks.slack.com/services/T0AB1CD2E/B0AB1CD2E/{}", &letters[..24]), "slack-webhook"),
        (format!("https://discord.com/api/webhooks/718394027561849302/{}", &letters[..68]), "discord-webhook"),
        (format!("bot 718394027:AA{}", &letters[..33]), "telegram-token"),
        (format!("sk-{}T3BlbkFJ{}", &letters[..20], &letters[20..40]), "openai-key"),
        (format!("sk-proj-{letters}T3BlbkFJ{letters}"), "openai-key"),
        (format!("{}.atlasv1.{}", &letters[..14], &letters[..67]), "terraform-token"),
        ("postgres://app:k9Zr3Vt7@db.acme.io:5432/app".to_owned(), "database-url"),
        ("mongodb+srv://app:k9Zr3Vt7Lm@cluster0.ab1cd.mongodb.net/x".to_owned(), "database-url"),
        ("a\nbob:$2y$05$q8Zr3Vt7Lm1Kx9Pw2Hs6YdXBn0Cf5Gj8Ta1Qeq8Zr3Vt7Lm1Kx9P\n".to_owned(), "password-hash"),
        ("bob:$apr1$9Cv/OMGj$ZomWQzuQbL.3TRCS81A1g/".to_owned(), "password-hash"),
        ("JWT_SECRET=q8Zr3Vt7Lm1Kx9Pw2Hs6Yd4B\n".to_owned(), "environment-secret"),
        ("{\"DB_PASSWORD\":\"q8Zr3Vt7Lm1Kx9Pw\",\"A\":1}".to_owned(), "environment-secret"),
        ("a={SESSION_SECRET_KEY: 'q8Zr3Vt7Lm1Kx9Pw2Hs6'}".to_owned(), "environment-secret"),
    ] {
        assert_eq!(codes(&text), [rule], "{text}");
    }
    // The value says more than the name of the variable.
    let token = format!("ghp_{}", with_checksum(&letters[..30]));
    assert_eq!(codes(&format!("GITHUB_TOKEN={token}\n")), ["github-token"]);
}

#[test]
fn examples_of_documentation_are_no_secrets() {
    for text in [
        "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "https://s3/?X-Amz-Credential=AKIAQ3EGRZ7VNWYXL2KD%2F20260101",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "npm_config_registry=https://registry.npmjs.org",
        "//registry.npmjs.org/:_authToken=${NPM_TOKEN}",
        "xoxb-your-token-here-0123",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "sk_live_your_secret_key_goes_here_1",
        "postgres://user:password@localhost/db",
        "postgres://user:secret123@db.example.com/db",
        "mysql://root:k9Zr3Vt7Lm@127.0.0.1/db",
        "redis://:${REDIS_PASSWORD}@cache.acme.io",
        "postgresql://app:<password-1>@db.acme.io/app",
        "API_KEY=your-api-key-goes-here-123",
        "NEXT_PUBLIC_API_KEY=\"q8Zr3Vt7Lm1Kx9Pw2Hs6Yd4B\"",
        "if (API_KEY == undefined) {}",
        "SECRET_KEY=process.env.SECRET_KEY_OF_APP_1",
        "const ACCESS_TOKEN = 'https://auth.acme.io/oauth2/v1/token'",
        "AUTH_TOKEN_PREFIX = \"base64url.bearer.phx.\"",
        "\"SECRET_HASH\": \"oT5ZkS8ctnrhYeeGsGTvOzPhoc/Jd1cO5fueBWFVmp8=\"",
        "<code>JWT_SECRET=q8Zr3Vt7Lm1Kx9Pw2Hs6</code>"
            .replace("JWT_SECRET=q8Zr3Vt7Lm1Kx9Pw2Hs6", "JWT_SECRET=...")
            .as_str(),
        "sha512-q8Zr3Vt7Lm1Kx9Pw2Hs6Yd4Bn0Cf5Gj8Ta1Qe==",
        "the prefix is ghp_ or glpat- or xoxb- or sk-ant-api03-",
        "user:$2y$10$...",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    ] {
        assert_eq!(codes(text), [] as [&str; 0], "{text}");
    }
}

#[test]
fn inline_source_maps_are_found_whatever_their_length_is() {
    use base64::Engine as _;
    for length in [0, 1, 2, 3, 6_000, 6_100, 6_101, 6_102, 20_000] {
        let map = format!(r#"{{"version":3,"sources":["a.ts"],"mappings":"{}"}}"#, "A".repeat(length));
        let base64 = base64::engine::general_purpose::STANDARD.encode(map);
        for kind in ["application/json", "application/json;charset=utf-8"] {
            let text = format!("a()\n//# sourceMappingURL=data:{kind};base64,{base64}\n");
            assert_eq!(codes(&text), ["source-map"], "{length}");
        }
    }
    assert_eq!(codes("//# sourceMappingURL=app.js.map"), [] as [&str; 0]);
}

#[test]
fn keys_of_browsers_and_session_tokens_are_reported() {
    let text = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.kkH5lFbd8bX1w0Qm3u5Zp6Vw2Yt9Rr4Ee7Tg1Hh8Jj0";
    let found = judgement("{}", &plan(&[("a.js", text)]));
    assert_eq!((found.findings[0].code.as_str(), &found.verdict), ("json-web-token", &Verdict::Allow));
    let denied = judgement(r#"{"rules":{"json-web-token":"deny"}}"#, &plan(&[("a.js", text)]));
    assert_eq!((denied.findings[0].rule.as_str(), &denied.verdict), ("/rules/json-web-token", &Verdict::Deny));
}

#[test]
fn files_are_judged_by_name_and_by_content() {
    let plan = plan(&[
        (".env", "A=1"),
        ("api/.git/config", "[core]"),
        ("old.html.bak", "<p>"),
        ("app.js.map", r#"{"version":3,"sources":["../src/app.ts"],"mappings":"AAAA"}"#),
        ("world.map", "not a source map"),
        ("data", "-- MySQL dump 10.13  Distrib 8.0\n"),
        ("data.bin", "SQLite format 3\0\0\0"),
        (
            "inline.js",
            "a()\n//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbImEudHMiXX0=\n",
        ),
        ("index.html", "<p>hello"),
    ])
    .redirect(ChangeKind::Create, "old/.env", "/")
    .change(ChangeKind::Delete, "gone/.env", 3)
    .change(ChangeKind::Keep, "kept/.htpasswd", 3);
    let found_here = judgement("{}", &plan);
    assert_eq!(found_here.verdict, Verdict::Deny);
    assert_eq!(
        found(&found_here),
        [
            (".env", "environment-file"),
            ("api/.git/config", "version-control"),
            ("app.js.map", "source-map"),
            ("data", "database"),
            ("data.bin", "database"),
            ("inline.js", "source-map"),
            ("kept/.htpasswd", "password-file"),
            ("old.html.bak", "backup"),
        ]
    );
}

const KEY: &str = "AKIAQ3EGRZ7VNWYXL2KD";

#[test]
fn settings_choose_the_response_and_what_is_allowed() {
    let files = plan(&[("a.js", KEY), ("docs/b.js", KEY), ("docs/c.js.map", r#"{"sources":[]}"#)]);
    let of = |settings: &str| {
        let judgement = judgement(settings, &files);
        (judgement.verdict.clone(), found(&judgement).into_iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>())
    };
    let all = ["a.js", "docs/b.js", "docs/c.js.map"].map(str::to_owned).to_vec();
    assert_eq!(of("{}"), (Verdict::Deny, all.clone()));
    assert_eq!(of(r#"{"on-violation":"hold"}"#), (Verdict::Hold, all.clone()));
    assert_eq!(of(r#"{"on-violation":"report"}"#), (Verdict::Allow, all.clone()));
    assert_eq!(of(r#"{"rules":{"source-map":"off"}}"#).1, all[..2]);
    assert_eq!(of(r#"{"rules":{"source-map":"off","aws-access-key":"hold"}}"#).0, Verdict::Hold);
    assert_eq!(of(r#"{"allow":[{"files":["docs/"]}]}"#).1, all[..1]);
    assert_eq!(of(r#"{"allow":[{"files":["docs/","!b.js"]}]}"#).1, all[..2]);
    assert_eq!(of(r#"{"allow":[{"files":["*.js"],"rules":["aws-access-key"]}]}"#).1, all[2..]);
    assert_eq!(of(r#"{"allow":[{"files":["*"],"rules":["backup"]}]}"#).1, all);
}

#[test]
fn unchanged_content_is_read_only_if_the_settings_say_so() {
    let kept = TestPlan::new()
        .change(ChangeKind::Keep, "a.js", KEY.len() as u64)
        .content("a.js", KEY)
        .change(ChangeKind::Headers, "b.js", KEY.len() as u64)
        .content("b.js", KEY);
    assert_eq!(judgement("{}", &kept), Judgement::allow());
    assert_eq!(
        found(&judgement(r#"{"include-unchanged":true}"#, &kept)),
        [("a.js", "aws-access-key"), ("b.js", "aws-access-key")]
    );
}

#[test]
fn utf_16_is_read_and_binary_files_are_not() {
    let text: Vec<u8> =
        [0xfeff_u16].into_iter().chain(format!("\r\n{KEY}").encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let binary = [b"\x7fELF\0".as_slice(), KEY.as_bytes()].concat();
    let plan = TestPlan::new()
        .change(ChangeKind::Create, "a.txt", text.len() as u64)
        .content("a.txt", text)
        .change(ChangeKind::Create, "b", binary.len() as u64)
        .content("b", binary)
        .change(ChangeKind::Create, "c.png", 20)
        .content("c.png", KEY);
    assert_eq!(found(&judgement("{}", &plan)), [("a.txt", "aws-access-key")]);
}

#[test]
fn the_first_findings_are_named_and_the_rest_is_counted_in_the_verdict() {
    let plan = (0..1_234).fold(TestPlan::new(), |plan, at| {
        let key = format!("{at:04}.js");
        plan.change(ChangeKind::Create, &key, KEY.len() as u64).content(&key, KEY)
    });
    let found = judgement("{}", &plan);
    assert_eq!((found.findings.len(), &found.verdict), (51, &Verdict::Deny));
    assert_eq!(found.findings[50].message, "1184 more files have secrets");
}

#[test]
fn settings_have_a_canonical_form() {
    assert_eq!(
        canonical::<LeakSettings>(r#"{"allow":[{"files":["a/"]}]}"#).unwrap(),
        r#"{"on-violation":"deny","rules":{},"allow":[{"files":["a/"],"rules":[]}],"include-unchanged":false}"#
    );
    for (settings, pointer) in [
        (r#"{"rules":{"aws":"deny"}}"#, "/rules/aws"),
        (r#"{"rules":{"aws-access-key":"warn"}}"#, "/rules/aws-access-key"),
        (r#"{"allow":[{"files":["["]}]}"#, "/allow/0/files/0"),
        (r#"{"allow":[{"files":["a"],"rules":["jwt"]}]}"#, "/allow/0/rules/0"),
        (r#"{"allow":[{"rules":[]}]}"#, "/allow/0"),
        (r#"{"onviolation":"deny"}"#, "/onviolation"),
    ] {
        assert_eq!(canonical::<LeakSettings>(settings).unwrap_err()[0].0, pointer, "{settings}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Where the parts of a file end makes no difference.
    #[test]
    fn parts_make_no_difference(seed in 1_u64.., cuts in prop::collection::vec(1_usize..200_000, 0..4)) {
        let mut random = Random(seed);
        let mut text = String::new();
        while text.len() < 60_000 {
            let filler = (random.next() % 9_000) as usize;
            text.extend("lorem ipsum\n".chars().cycle().take(filler));
            match random.next() % 4 {
                0 => text.push_str(KEY),
                1 => text.push_str(&format!("ghp_{}", with_checksum(&random.of(Set::Alphanumeric, 30)))),
                2 => text.push_str(&pem("RSA PRIVATE KEY", &sequence(1_190), "\n")),
                _ => text.push_str("DB_PASSWORD=q8Zr3Vt7Lm1Kx9Pw\n"),
            }
            text.push('\n');
        }
        // The first part decides whether a file is binary.
        let cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.max(2_000)).filter(|cut| *cut < text.len()).collect();
        prop_assert_eq!(scanned(text.as_bytes(), &cuts), scanned(text.as_bytes(), &[]));
    }

    /// No bytes make it panic, or take long.
    #[test]
    fn any_bytes_are_scanned(bytes in prop::collection::vec(any::<u8>(), 0..4_000), keyword in any::<prop::sample::Index>()) {
        let rule = keyword.get(RULES);
        let mut text = rule.keywords[0].as_bytes().to_vec();
        text.extend(&bytes);
        scanned(&text, &[]);
        scanned(&[&bytes[..], rule.keywords[0].as_bytes()].concat(), &[]);
    }

    /// Random values are no placeholders.
    #[test]
    fn random_values_are_secrets(seed in 1_u64..) {
        let value = Random(seed).of(Set::Alphanumeric, 40);
        prop_assert!(!is_placeholder(value.as_bytes()), "{}", value);
    }
}

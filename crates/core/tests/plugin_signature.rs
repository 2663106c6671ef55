//! Signatures of components: those of three implementations hold, and everything else is refused with its reason.
//!
//! `signatures/` has signatures of `no_drafts.wasm` by other implementations than the one that is tested: minisign 0.11 in C
//! (`minisign.minisig`, and `legacy.minisig` with `-l`) and py-minisign 0.21 in Python (`py-minisign.minisig`), all made
//! with the trusted comment `name:no-drafts version:1.2.0`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, and clippy.toml exempts only the tests themselves"
)]

use std::io::Cursor;
use std::path::Path;

use minisign::KeyPair;
use proptest::prelude::*;
use tidegate_core::config::{Config, PluginUse};
use tidegate_core::plugin_signature::{PluginSignatureError, SignedPlugin, verify};

const COMPONENT: &[u8] = b"\0asm a component";
/// Whether an error is the expected one.
type Check = fn(&PluginSignatureError) -> bool;

const COMMENT: &str = "name:no-drafts version:1.2.0";

fn fixture(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signatures");
    std::fs::read(directory.join(name)).unwrap()
}

/// The second line of a file with a public key.
fn public_key(name: &str) -> String {
    String::from_utf8(fixture(name)).unwrap().lines().nth(1).unwrap().to_owned()
}

fn key() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().unwrap()
}

fn sign(key: &KeyPair, component: &[u8], comment: &str) -> String {
    let component = Cursor::new(component);
    minisign::sign(Some(&key.pk), &key.sk, component, Some(comment), Some("untrusted")).unwrap().into_string()
}

/// The plugin of a configuration with these keys and fields.
fn plugin(keys: &[String], fields: &str) -> PluginUse {
    let text = format!(
        "[plugins]\ntrusted-keys = {keys:?}\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\n\
         [[site.sync]]\nplugin = \"plugins/no_drafts.wasm\"\n{fields}\n"
    );
    Config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")).sites.remove(0).sync.remove(0)
}

/// Verifies with one key.
fn result(key: &KeyPair, component: &[u8], signature: &str) -> Result<SignedPlugin, PluginSignatureError> {
    verify(&plugin(&[key.pk.to_base64()], ""), component, signature.as_bytes())
}

#[test]
fn signatures_of_other_implementations_hold() {
    let component = fixture("no_drafts.wasm");
    for name in ["minisign", "py-minisign"] {
        let key = public_key(&format!("{name}.pub"));
        let signature = fixture(&format!("{name}.minisig"));
        let signed = verify(&plugin(std::slice::from_ref(&key), ""), &component, &signature).unwrap();
        assert_eq!((signed.name.as_str(), signed.version.as_str()), ("no-drafts", "1.2.0"), "{name}");
        let other = verify(&plugin(&[key], ""), b"another component", &signature);
        assert_eq!(other, Err(PluginSignatureError::Invalid(signed.key)), "{name}");
    }
    // The number of the key as minisign writes it above the key.
    let signed = verify(&plugin(&[public_key("minisign.pub")], ""), &component, &fixture("minisign.minisig")).unwrap();
    let comment = String::from_utf8(fixture("minisign.pub")).unwrap();
    assert!(comment.lines().next().unwrap().ends_with(&signed.key.to_string()), "{comment}");
    let legacy = verify(&plugin(&[public_key("minisign.pub")], ""), &component, &fixture("legacy.minisig"));
    assert_eq!(legacy, Err(PluginSignatureError::Legacy));
}

#[test]
fn a_signature_holds_for_its_key_component_and_comment_only() {
    let (first, second) = (key(), key());
    let signature = sign(&first, COMPONENT, COMMENT);
    let id = result(&first, COMPONENT, &signature).unwrap().key;
    assert_eq!(result(&second, COMPONENT, &signature), Err(PluginSignatureError::UnknownKey(id)));
    assert_eq!(result(&first, b"", &signature), Err(PluginSignatureError::Invalid(id)));
    let changed = signature.replace("version:1.2.0", "version:1.3.0");
    assert_eq!(result(&first, COMPONENT, &changed), Err(PluginSignatureError::Invalid(id)));
    // Comment and component of two signatures of the same key.
    let other = sign(&first, b"another component", "name:no-drafts version:9.9.9");
    let lines: Vec<&str> = signature.lines().take(2).chain(other.lines().skip(2)).collect();
    assert_eq!(result(&first, COMPONENT, &lines.join("\n")), Err(PluginSignatureError::Invalid(id)));
    for lines in 0..4 {
        let truncated: Vec<&str> = signature.lines().take(lines).collect();
        assert_eq!(result(&first, COMPONENT, &truncated.join("\n")), Err(PluginSignatureError::Form), "{lines} lines");
    }
    for bad in ["", "\n\n\n\n", "x", "untrusted comment: x\nRW\ntrusted comment: \nx\n"] {
        assert_eq!(result(&first, COMPONENT, bad), Err(PluginSignatureError::Form), "{bad:?}");
    }
    for bad in [format!("{signature}x\n"), format!("{signature}\n"), signature.clone() + &"x".repeat(20_000)] {
        assert_eq!(result(&first, COMPONENT, &bad), Err(PluginSignatureError::Form));
    }
    // Git on Windows changes the ends of lines.
    assert!(result(&first, COMPONENT, &signature.replace('\n', "\r\n")).is_ok());
    let not_utf8 = verify(&plugin(&[first.pk.to_base64()], ""), COMPONENT, b"\xff\xfe");
    assert_eq!(not_utf8, Err(PluginSignatureError::Form));
}

#[test]
fn keys_can_be_rotated_and_can_have_the_same_number() {
    let (old, new, stranger) = (key(), key(), key());
    let keys = [&old, &new].map(|key| key.pk.to_base64());
    for key in [&old, &new] {
        let signature = sign(key, COMPONENT, COMMENT);
        assert!(verify(&plugin(&keys, ""), COMPONENT, signature.as_bytes()).is_ok());
    }
    let signature = sign(&stranger, COMPONENT, COMMENT);
    assert!(matches!(
        verify(&plugin(&keys, ""), COMPONENT, signature.as_bytes()),
        Err(PluginSignatureError::UnknownKey(_))
    ));
    // A key with the number of another one: the number selects a key, and does not identify it.
    let mut bytes = stranger.pk.to_bytes();
    bytes[2..10].copy_from_slice(old.pk.keynum());
    let twin = minisign::PublicKey::from_bytes(&bytes).unwrap().to_base64();
    let signature = sign(&old, COMPONENT, COMMENT);
    for keys in [[twin.clone(), keys[0].clone()], [keys[0].clone(), twin.clone()]] {
        assert!(verify(&plugin(&keys, ""), COMPONENT, signature.as_bytes()).is_ok());
    }
    let refused = verify(&plugin(&[twin], ""), COMPONENT, signature.as_bytes());
    assert!(matches!(refused, Err(PluginSignatureError::Invalid(_))), "{refused:?}");
}

#[test]
fn the_comment_binds_name_and_version() {
    let key = key();
    let check = |fields: &str, comment: &str| {
        let plugin = plugin(&[key.pk.to_base64()], fields);
        verify(&plugin, COMPONENT, sign(&key, COMPONENT, comment).as_bytes()).map(|signed| signed.version)
    };
    let accepted = [
        ("", "name:no-drafts version:1.2.0"),
        ("", "name:no_drafts version:1.2.0"),
        ("", "timestamp:1700000000\tfile:x.wasm\tversion:1.2.0\tname:no-drafts\thashed"),
        ("version = \"1.2\"", "name:no-drafts version:1.2.0"),
        ("version = \"=1.2.0\"", "name:no-drafts version:1.2.0"),
        ("version = \">=1.0, <1.3\"", "name:no-drafts version:1.2.0"),
        ("signed-name = \"drafts\"", "name:drafts version:1.2.0"),
    ];
    for (fields, comment) in accepted {
        assert_eq!(check(fields, comment), Ok("1.2.0".to_owned()), "{fields} {comment}");
    }
    let refused: [(&str, &str, Check); 14] = [
        ("", "", |error| matches!(error, PluginSignatureError::Comment(_))),
        ("", "no-drafts 1.2.0", |error| matches!(error, PluginSignatureError::Comment(_))),
        ("", "name:no-drafts", |error| matches!(error, PluginSignatureError::Comment(_))),
        ("", "version:1.2.0", |error| matches!(error, PluginSignatureError::Comment(_))),
        ("", "name: version:1.2.0", |error| matches!(error, PluginSignatureError::Comment(_))),
        // Which of two values counts would depend on the reader.
        ("", "name:no-drafts name:x version:1.2.0", |error| matches!(error, PluginSignatureError::Comment(_))),
        ("", "name:no-drafts version:1.2.0 version:2.0.0", |error| matches!(error, PluginSignatureError::Comment(_))),
        ("", "name:no-drafts version:1.2", |error| matches!(error, PluginSignatureError::Version(_))),
        ("", "name:guard version:1.2.0", |error| matches!(error, PluginSignatureError::Name { .. })),
        ("", "name:No-Drafts version:1.2.0", |error| matches!(error, PluginSignatureError::Name { .. })),
        ("signed-name = \"x\"", "name:no-drafts version:1.2.0", |error| {
            matches!(error, PluginSignatureError::Name { .. })
        }),
        ("version = \"1.3\"", "name:no-drafts version:1.2.0", |error| {
            matches!(error, PluginSignatureError::Requirement { .. })
        }),
        ("version = \"1.2\"", "name:no-drafts version:2.0.0", |error| {
            matches!(error, PluginSignatureError::Requirement { .. })
        }),
        // As in Cargo, a requirement without a pre-release allows none.
        ("version = \"1.2\"", "name:no-drafts version:1.3.0-rc.1", |error| {
            matches!(error, PluginSignatureError::Requirement { .. })
        }),
    ];
    for (fields, comment, is_expected) in refused {
        let error = check(fields, comment).unwrap_err();
        assert!(is_expected(&error), "{fields} {comment}: {error}");
    }
    let error = check("", "\u{1b}[2J\u{202e}name").unwrap_err().to_string();
    assert!(!error.chars().any(|c| c.is_control() || c == '\u{202e}'), "{error:?}");
}

#[test]
fn a_configuration_says_which_signatures_it_needs() {
    let key = key().pk.to_base64();
    let parse = |top: &str, plugin: &str| {
        let site = "[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\n[[site.sync]]\n";
        Config::parse(&format!("{top}\n{site}{plugin}\n")).map(|mut config| config.sites.remove(0).sync.remove(0))
    };
    let keys = format!("[plugins]\ntrusted-keys = [{key:?}]");
    let required = format!("{keys}\nrequire-signatures = true");
    let digest = format!("sha256 = \"{}\"", "0".repeat(64));
    let (file, remote) = ("plugin = \"a.wasm\"\n", "plugin = \"s3://plugins/a.wasm\"\n");
    let pinned = format!("{file}{digest}");
    let needs = [
        ("", pinned.as_str(), false),
        (&keys, &pinned, false),
        (&keys, file, true),
        (&keys, remote, true),
        (&required, &pinned, true),
        (&keys, &format!("{pinned}\nversion = \"1\""), true),
        (&keys, &format!("{pinned}\nsignature = \"a.sig\""), true),
        (&required, "plugin = \"mime\"", false),
    ];
    for (top, plugin, needed) in needs {
        assert_eq!(parse(top, plugin).unwrap().needs_signature(), needed, "{top}\n{plugin}");
    }
    assert_eq!(parse(&keys, file).unwrap().signature().to_string(), "a.wasm.minisig");
    assert_eq!(parse(&keys, remote).unwrap().signature().to_string(), "s3://plugins/a.wasm.minisig");
    let refused = [
        ("", file.to_owned(), "missing `sha256`"),
        ("", format!("{pinned}\nversion = \"1\""), "trusted-keys"),
        ("[plugins]\nrequire-signatures = true", pinned.clone(), "`require-signatures` without `trusted-keys`"),
        (&keys, "plugin = \"mime\"\nversion = \"1\"".to_owned(), "bundled"),
        (&keys, "plugin = \"mime\"\nsignature = \"x\"".to_owned(), "bundled"),
        (&keys, format!("{pinned}\nversion = \"one\""), "invalid version `one`"),
        (&keys, format!("{pinned}\nsignature = \"\""), "invalid signature"),
        ("[plugins]\ntrusted-keys = [\"RWQ\"]", pinned.clone(), "invalid key `RWQ`"),
        ("[plugins]\ntrusted-key = []", pinned.clone(), "trusted-key"),
    ];
    for (top, plugin, expected) in refused {
        let error = parse(top, &plugin).unwrap_err().to_string();
        assert!(error.contains(expected), "{top}\n{plugin}\n{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Base64 has unused bits, and the first line is not signed, so a changed file can still mean the same.
    #[test]
    fn a_changed_signature_is_refused_or_means_the_same(at in any::<prop::sample::Index>(), bits in 1..=255_u8) {
        let component = fixture("no_drafts.wasm");
        let plugin = plugin(&[public_key("minisign.pub")], "");
        let mut signature = fixture("minisign.minisig");
        let signed = verify(&plugin, &component, &signature).unwrap();
        let at = at.index(signature.len());
        signature[at] ^= bits;
        if let Ok(changed) = verify(&plugin, &component, &signature) {
            prop_assert_eq!(changed, signed);
        }
    }

    #[test]
    fn a_changed_component_is_refused(at in any::<prop::sample::Index>(), bits in 1..=255_u8) {
        let mut component = fixture("no_drafts.wasm");
        let at = at.index(component.len());
        component[at] ^= bits;
        let plugin = plugin(&[public_key("minisign.pub")], "");
        prop_assert!(matches!(
            verify(&plugin, &component, &fixture("minisign.minisig")),
            Err(PluginSignatureError::Invalid(_))
        ));
    }

    /// Files from outside.
    #[test]
    fn any_file_is_refused(signature in prop::collection::vec(any::<u8>(), 0..400)) {
        let plugin = plugin(&[public_key("minisign.pub")], "");
        prop_assert!(verify(&plugin, b"x", &signature).is_err());
    }
}

//! Patterns against tables, and against the `ignore` crate as a reference.

use proptest::prelude::*;

use super::{CachedGlobList, Glob, GlobError, GlobErrorKind, GlobList, IgnoreGlob, KeyGlob};

#[test]
fn matches_as_gitignore_does() {
    // Pattern, keys that match, keys that do not.
    let table: &[(&str, &[&str], &[&str])] = &[
        ("*.map", &["a.map", "x/y/a.map", ".map", "a.map/b"], &["a.mapx", "a.map2/b"]),
        (".DS_Store", &[".DS_Store", "a/.DS_Store"], &["a.DS_Store", ".ds_store"]),
        ("drafts/", &["drafts/a", "x/drafts/y/a"], &["drafts", "x/drafts", "mydrafts/a"]),
        ("/drafts", &["drafts", "drafts/a"], &["x/drafts", "drafts2"]),
        ("/drafts/", &["drafts/a"], &["drafts", "x/drafts/a"]),
        ("a/b", &["a/b", "a/b/c"], &["x/a/b", "a/bc", "a"]),
        ("a/**", &["a/b", "a/b/c"], &["a", "x/a/b"]),
        ("a/**/b", &["a/b", "a/x/b", "a/x/y/b/z"], &["ab", "a/xb", "x/a/b"]),
        ("**/a", &["a", "x/a", "x/y/a/z"], &["xa", "x/ya"]),
        ("**/a/**", &["a/b", "x/a/b", "a/b/c"], &["a", "x/a"]),
        ("**/a/**/", &["a/b/c", "x/a/b/c"], &["a", "a/b", "x/a/b"]),
        ("**/a/*.js", &["a/x.js", "q/a/x.js"], &["a/q/x.js"]),
        ("*", &["a", "a/b"], &[]),
        ("**", &["a", "a/b"], &[]),
        ("**/", &["a/b"], &["a"]),
        ("/*", &["a", "a/b"], &[]),
        ("/*.html", &["a.html"], &["x/a.html"]),
        ("a*b", &["ab", "axb"], &["ax/b"]),
        ("x/a**b", &["x/ab", "x/aqb"], &["x/a/b"]),
        ("?.js", &["a.js", "x/b.js"], &["ab.js", ".js", "é.js"]),
        ("a?b", &["axb"], &["a/b"]),
        ("[a-c].txt", &["b.txt"], &["d.txt"]),
        ("[!a-c].txt", &["d.txt"], &["b.txt"]),
        ("[]a].txt", &["].txt", "a.txt"], &["b.txt"]),
        ("*.{js,css}", &["a.js", "x/a.css"], &["a.jsx"]),
        (r"\!x", &["!x"], &["x"]),
        (r"\#x", &["#x"], &["x"]),
        (r"\*.js", &["*.js"], &["a.js"]),
        (r"\n.js", &["n.js"], &["\n.js"]),
        ("a b", &["a b", "x/a b"], &["ab"]),
        ("*~", &["a~", "x/a~"], &["a~b"]),
        ("._*", &["._a", "x/._b"], &["a._b"]),
        ("é*", &["été", "x/é"], &["e"]),
    ];
    for (text, matching, other) in table {
        let glob = Glob::parse(text).unwrap();
        for key in *matching {
            assert!(glob.matches(key), "`{text}` should match `{key}`");
        }
        for key in *other {
            assert!(!glob.matches(key), "`{text}` should not match `{key}`");
        }
    }
}

#[test]
fn refuses_invalid_patterns() {
    let error = |glob: &str, kind| Err(GlobError { glob: glob.to_owned(), kind });
    assert_eq!(Glob::parse(""), error("", GlobErrorKind::Empty));
    assert_eq!(Glob::parse("/"), error("/", GlobErrorKind::Empty));
    assert_eq!(IgnoreGlob::parse("!").unwrap_err().glob, "!");
    assert_eq!(Glob::parse("#x"), error("#x", GlobErrorKind::Comment));
    assert_eq!(Glob::parse("!x"), error("!x", GlobErrorKind::Negated));
    assert_eq!(Glob::parse("a[b"), error("a[b", GlobErrorKind::Unclosed('[')));
    assert_eq!(Glob::parse("a{b,c"), error("a{b,c", GlobErrorKind::Unclosed('{')));
    assert_eq!(Glob::parse("[é]"), error("[é]", GlobErrorKind::SetBeyondAscii));
    assert_eq!(Glob::parse("a\\"), error("a\\", GlobErrorKind::TrailingBackslash));
    assert_eq!(Glob::parse(&"{a,b}".repeat(11)), error(&"{a,b}".repeat(11), GlobErrorKind::TooManyBraces));
    assert_eq!(
        Glob::parse("a[b").unwrap_err().to_string(),
        "invalid glob `a[b`: `[` is not closed; close it, or write `\\[` for the character"
    );
}

#[test]
fn key_globs_match_whole_keys_from_the_root() {
    let table = [
        ("index.html", "index.html", true),
        ("index.html", "a/index.html", false),
        ("/index.html", "index.html", true),
        ("*/index.html", "a/index.html", true),
        ("*/index.html", "a/b/index.html", false),
        ("**/index.html", "index.html", true),
        ("**/index.html", "a/b/index.html", true),
        ("assets", "assets/a", false),
        ("assets/app-*.js", "assets/app-1.js", true),
    ];
    for (text, key, expected) in table {
        assert_eq!(KeyGlob::parse(text).unwrap().matches(key), expected, "`{text}` and `{key}`");
    }
}

fn list(globs: &[&str]) -> GlobList {
    globs.iter().map(|glob| IgnoreGlob::parse(glob).unwrap()).collect()
}

fn position(matched: Option<(usize, &IgnoreGlob)>) -> Option<usize> {
    matched.map(|(position, _)| position)
}

#[test]
fn the_last_match_decides() {
    let globs = list(&["*.log", "!keep.log", "drafts/", "!drafts/ready.html", "/keep.log"]);
    let table = [
        ("a.log", Some(0)),
        ("x/keep.log", Some(1)),
        ("keep.log", Some(4)),
        ("drafts/a.html", Some(2)),
        ("drafts/ready.html", Some(3)),
        ("drafts/keep.log", Some(2)),
        ("a.html", None),
    ];
    for (key, expected) in table {
        assert_eq!(position(globs.last_match(key)), expected, "{key}");
    }
    assert!(globs.matches("a.log"));
    assert!(!globs.matches("x/keep.log"));
    assert!(!globs.matches("a.html"));
}

#[test]
fn a_later_folder_name_does_not_hide_an_earlier_object_name() {
    let globs = list(&["a", "!a/"]);
    assert_eq!(position(globs.last_match("a")), Some(0));
    assert_eq!(position(globs.last_match("a/b")), Some(1));
}

#[test]
fn a_folder_is_excluded_unless_a_later_exception_may_match_in_it() {
    let table: &[(&[&str], &str, bool)] = &[
        (&[".git"], ".git", true),
        (&[".git/"], "a/.git", true),
        (&[".git/"], ".git/objects", true),
        (&["*"], "a", true),
        (&["*.map"], "a.map", true),
        (&["*.map"], "a", false),
        (&["drafts/*"], "drafts", false),
        (&["drafts/**"], "drafts", false),
        (&["drafts/**"], "drafts/a", true),
        (&["drafts/", "!drafts/ready.html"], "drafts", false),
        (&["drafts/", "!drafts/ready.html"], "drafts/old", true),
        (&["drafts/", "!drafts/ready.html"], "x/drafts", true),
        (&["!drafts/ready.html", "drafts/"], "drafts", true),
        (&["drafts/", "!drafts"], "drafts", false),
        (&["drafts/", "!*.html"], "drafts", false),
        (&["drafts/", "!/*.html"], "drafts", true),
        (&["drafts/", "!/*/a/*.html"], "drafts", false),
        (&["drafts/", "!/*/a/*.html"], "drafts/a", false),
        (&["drafts/", "!/*/a/*.html"], "drafts/b", true),
        (&["drafts/", "!posts/**/a.html"], "drafts", true),
        (&["drafts/", "!**/a.html"], "drafts", false),
        (&["drafts/", "!x/[a/b]"], "drafts", true),
        (&["drafts/", "!{drafts,posts}/a.html"], "drafts", false),
        (&["drafts/", "!drafts/old/*"], "drafts/old", false),
        (&["drafts/", "!drafts/old/*"], "drafts/older", true),
    ];
    for (globs, folder, expected) in table {
        assert_eq!(list(globs).excludes_folder(folder).is_some(), *expected, "{globs:?} and `{folder}`");
    }
}

#[test]
fn lists_are_written_as_texts() {
    let text = r#"["a","!b/"]"#;
    let globs: GlobList = serde_json::from_str(text).unwrap();
    assert_eq!(globs, list(&["a", "!b/"]));
    assert_eq!(serde_json::to_string(&globs).unwrap(), text);
    assert!(serde_json::from_str::<GlobList>(r#"["a["]"#).is_err());
}

#[test]
fn lists_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<(Glob, KeyGlob, GlobList, CachedGlobList)>();
}

fn segment() -> impl Strategy<Value = String> {
    "[ab.]{1,3}".prop_filter("keys have no dot segments", |text| text != "." && text != "..")
}

fn key() -> impl Strategy<Value = String> {
    prop::collection::vec(segment(), 1..5).prop_map(|segments| segments.join("/"))
}

fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => segment(),
        2 => "[ab.*?]{1,4}",
        1 => Just("**".to_owned()),
        1 => "\\[[ab]{1,2}\\][ab]{0,1}",
        1 => "[ab]{0,1}\\[![ab]\\]",
    ];
    (any::<bool>(), prop::collection::vec(part, 1..4), any::<bool>()).prop_map(|(root, parts, folder)| {
        format!("{}{}{}", if root { "/" } else { "" }, parts.join("/"), if folder { "/" } else { "" })
    })
}

/// Alternatives, which `ignore` does not have.
fn braces() -> impl Strategy<Value = String> {
    "[ab*]{0,1}\\{[ab.*]{1,2},[ab.*]{1,2}\\}[ab*]{0,1}/{0,1}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn one_pattern_matches_as_in_the_ignore_crate(pattern in pattern(), key in key()) {
        let mut reference = ignore::gitignore::GitignoreBuilder::new("");
        reference.add_line(None, &pattern).unwrap();
        let reference = reference.build().unwrap();
        let in_folder = key.match_indices('/').any(|(at, _)| reference.matched(key.split_at(at).0, true).is_ignore());
        let expected = in_folder || reference.matched(&key, false).is_ignore();
        prop_assert_eq!(Glob::parse(&pattern).unwrap().matches(&key), expected, "`{}` and `{}`", pattern, key);
    }

    /// Shortcuts change no match.
    #[test]
    fn a_key_glob_matches_as_its_whole_pattern(
        pattern in prop_oneof![pattern(), braces(), braces().prop_map(|glob| format!("**/{glob}")), "(\\*\\*/){0,1}[ab.]{1,2}[*?]{0,1}[ab]{0,1}"],
        key in key(),
    ) {
        let pattern = pattern.trim_start_matches('/');
        let Ok(glob) = KeyGlob::parse(pattern) else { return Ok(()) };
        let expected = fast_glob::glob_match(super::compiled::normalize(pattern).unwrap(), &key);
        prop_assert_eq!(glob.matches(&key), expected, "`{}` and `{}`", pattern, key);
    }

    /// A pattern with braces matches what one of its alternatives matches.
    #[test]
    fn braces_stand_for_their_alternatives(
        before in "[ab*?.]{0,2}",
        choices in prop::collection::vec("[ab*?.]{0,2}", 1..4),
        after in "[ab*?.]{0,2}",
        key in key(),
    ) {
        let expanded: Vec<String> = choices.iter().map(|choice| format!("{before}{choice}{after}")).collect();
        prop_assume!(expanded.iter().all(|pattern| !pattern.is_empty()));
        let braces = format!("{before}{{{}}}{after}", choices.join(","));
        let expected = expanded.iter().any(|pattern| Glob::parse(pattern).unwrap().matches(&key));
        prop_assert_eq!(Glob::parse(&braces).unwrap().matches(&key), expected, "`{}` and `{}`", braces, key);
    }

    #[test]
    fn index_cache_and_folders_change_no_match(
        patterns in prop::collection::vec((any::<bool>(), prop_oneof![4 => pattern(), 1 => braces()]), 0..6),
        keys in prop::collection::vec(key(), 1..6),
    ) {
        let globs: Vec<IgnoreGlob> = patterns
            .iter()
            .map(|(exception, pattern)| IgnoreGlob::parse(&format!("{}{pattern}", if *exception { "!" } else { "" })).unwrap())
            .collect();
        let list = GlobList::from(globs.clone());
        let mut cached = CachedGlobList::new(list.clone());
        for key in &keys {
            let folders = key.match_indices('/').map(|(at, _)| key.split_at(at).0);
            for folder in folders.filter(|folder| list.excludes_folder(folder).is_some()) {
                for key in keys.iter().filter(|key| key.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))) {
                    prop_assert!(list.matches(key), "`{}` is in the excluded folder `{}`", key, folder);
                }
            }
        }
        for key in keys {
            let expected = globs.iter().rposition(|glob| glob.matches(&key));
            prop_assert_eq!(position(list.last_match(&key)), expected, "{}", &key);
            prop_assert_eq!(position(cached.last_match(&key)), expected, "{}", &key);
        }
    }
}

//! Parts of generated `_redirects` files, and what their keys and findings mean.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tidegate_plugin::Finding;

const NAMES: [&str; 6] = ["a", "b", "blog", "x.html", "v1.0", "a b"];
const FROM: [&str; 12] = ["a", "a", "b", "blog", "x.html", "v1.0", "a%20b", "*", "*", ":p", ":q", "b*"];
const TO: [&str; 10] = ["a", "b", "blog", "x.html", "v1.0", "new", ":splat", ":splat", ":p", ":q"];
/// Lines as people write them.
const COMMON: [(&str, &str); 9] = [
    ("/*", "/a/:splat"),
    ("/*", "/blog/:splat"),
    ("/a/*", "/b/:splat"),
    ("/b/*", "/a/:splat"),
    ("/v1.0/*", "/:splat"),
    ("/:p/:q", "/:q/:p"),
    ("/blog/:p", "/a/:p/"),
    ("/:p/x.html", "/:p"),
    ("/a", "/a/"),
];

fn path(segments: &'static [&'static str]) -> impl Strategy<Value = String> {
    (vec(select(segments), 0..4), any::<bool>()).prop_map(|(segments, slash)| {
        let slash = if slash && !segments.is_empty() { "/" } else { "" };
        format!("/{}{slash}", segments.join("/"))
    })
}

/// The path and the target of a line.
pub(crate) fn from_and_to() -> impl Strategy<Value = (String, String)> {
    let to = (path(&TO), select(&["", "", "", "", "", "https://h.example"][..]))
        .prop_map(|(to, host)| host.to_owned() + &to);
    let common = select(&COMMON[..]).prop_map(|(from, to)| (from.to_owned(), to.to_owned()));
    prop_oneof![2 => (path(&FROM), to), 1 => common]
}

/// Keys of all short paths.
pub(crate) fn keys() -> Vec<String> {
    let mut paths: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    paths.extend(NAMES.iter().flat_map(|one| NAMES.iter().map(move |two| format!("{one}/{two}"))));
    paths
        .extend(["new", "new/a", "a/a/b", "a/b/a", "a/b/b", "b/blog/a", "blog/a/x.html", "new/a/b"].map(str::to_owned));
    let folders: Vec<String> = paths.iter().map(|path| format!("{path}/index.html")).collect();
    paths.into_iter().chain(folders).chain(["index.html".to_owned()]).collect()
}

/// The path at which visitors reach a key.
pub(crate) fn request(key: &str) -> String {
    match key.strip_suffix("index.html") {
        Some(folder) => format!("/{folder}"),
        None => format!("/{key}"),
    }
}

/// A page, with whatever spelling.
pub(crate) fn page(path: &str) -> &str {
    path.trim_matches('/').trim_end_matches("index.html").trim_matches('/')
}

/// The lines that findings name.
pub(crate) fn reported(findings: &[Finding]) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    for finding in findings {
        let (place, rest) = finding.message.split_once(" of `_redirects`").unwrap_or_default();
        let more = rest.split_once("more like it: ").map_or("", |(_, list)| list);
        for range in [place, more].iter().flat_map(|list| list.split([' ', ','])) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse()) {
                lines.extend(first..=last);
            }
        }
    }
    lines
}

//! Generated `_redirects` files: each path redirects as Cloudflare Pages says, or by one of the differences that
//! `docs/plugins/rewrite.md` documents. A table has Cloudflare's documented examples, and each difference.
//!
//! `scripts/servers install cloudflare` installs Cloudflare's parser and asset server.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, and must name its place"
)]

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tidegate_plugin::testing::{SyncAnswer, TestArtifact, sync_in_batches};
use tidegate_plugin_rewrite::Rewrite;

use redirects_file::{from_and_to, keys, page, reported, request};

#[path = "../../testing/oracle.rs"]
mod oracle;
mod redirects_file;

const FILES: usize = 150;

/// Cloudflare's default, with which temporary redirects are skipped, and with which they are published.
const SETTINGS: [(&str, &[u16]); 2] = [
    (r#"{"redirects-file":{"default-status":302}}"#, &[301, 308]),
    (r#"{"redirects-file":{"default-status":302,"temporary-as-permanent":true}}"#, &[301, 302, 303, 307, 308]),
];

/// Those that both hosts accept.
const STATUSES: [&str; 9] = ["", "", " 301", " 301", " 301 # comment", " 302", " 307", " 308", " 200"];

/// What Cloudflare answers for a path.
#[derive(Debug, serde::Deserialize)]
struct CloudflareAnswer {
    status: u16,
    location: Option<String>,
    /// The line that decides.
    line: Option<usize>,
}

/// A site with a `_redirects` file.
struct RedirectsCase<'a> {
    file: &'a str,
    objects: Vec<&'a str>,
}

/// Runs Cloudflare's parser and asset server; `None` if they are not installed.
fn cloudflare_answers(
    test: &str,
    cases: &[RedirectsCase<'_>],
    paths: &[Vec<String>],
) -> Option<Vec<Vec<CloudflareAnswer>>> {
    let cases: Vec<_> = cases
        .iter()
        .zip(paths)
        .map(|(case, paths)| serde_json::json!({ "redirects": case.file, "keys": case.objects, "paths": paths }))
        .collect();
    oracle::run("cloudflare", "testing/cloudflare.mjs", test, &cases)
}

fn answer(case: &RedirectsCase<'_>, settings: &str) -> SyncAnswer {
    let artifact = TestArtifact::new().object("_redirects", case.file).objects(case.objects.iter().copied());
    sync_in_batches::<Rewrite>(settings, &artifact, 7).unwrap()
}

/// A line with at most one `*`, as a segment at the end. The table has the other ones, which the hosts read differently.
fn line() -> impl Strategy<Value = String> {
    (from_and_to(), select(&STATUSES[..])).prop_map(|((from, to), status)| {
        let from = match from.split_once('*') {
            Some((before, _)) => format!("{}/*", before.rsplit_once('/').unwrap().0),
            None => from,
        };
        format!("{from} {to}{status}\n")
    })
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// The path with a `/` at the end, or without it.
fn other_spelling(path: &str) -> String {
    match path.strip_suffix('/') {
        Some("") => path.to_owned(),
        Some(without) => without.to_owned(),
        None => format!("{path}/"),
    }
}

/// Whether storage can redirect a path by the line to an object that exists.
fn must_redirect(case: &RedirectsCase<'_>, path: &str, line: usize, location: &str) -> bool {
    let lines: Vec<Vec<&str>> = case.file.lines().map(|line| line.split(' ').collect()).collect();
    let (from, to) = (lines[line - 1][0], lines[line - 1][1]);
    let names = [(":p", ":p"), (":q", ":q"), ("*", ":splat")];
    let has_all = names.iter().all(|(name, value)| !from.contains(name) || to.contains(value));
    // A path with the extension of a file is one key.
    let is_file = path.ends_with(".html/");
    // Without status 200, whose lines have no redirect that says which paths they take.
    let is_clear = lines.iter().all(|words| words.get(2) != Some(&"200"));
    let is_within = from.ends_with('*') && path.starts_with(&*decoded(to.strip_suffix("/:splat").unwrap_or(to)));
    let page_of = page(path);
    let shadow = |object: &&&str| page(object) == page_of || **object == format!("{page_of}.html");
    let target = location.trim_start_matches('/').trim_end_matches('/');
    let keys = [target.to_owned(), format!("{target}/index.html")];
    let is_object = |object: &&&str| location.starts_with('/') && keys.contains(&(**object).to_owned());
    let slash = location.ends_with('/');
    is_clear
        && has_all
        && !is_file
        && !is_within
        && !location.contains("//")
        && page(location) != page_of
        && !case.objects.iter().any(|object| shadow(&object))
        && case.objects.iter().any(|object| is_object(&object) && (!slash || object.ends_with("/index.html")))
}

#[test]
fn paths_redirect_as_on_cloudflare_except_for_documented_differences() {
    let keys = keys();
    let strategy = (vec(line(), 1..7), subsequence(keys.clone(), 4..40));
    let mut runner = TestRunner::deterministic();
    let files: Vec<_> = (0..FILES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let texts: Vec<String> = files.iter().map(|(lines, _)| lines.concat()).collect();
    let cases: Vec<RedirectsCase<'_>> = files
        .iter()
        .zip(&texts)
        .map(|((_, objects), file)| RedirectsCase { file, objects: objects.iter().map(String::as_str).collect() })
        .collect();
    let requests: Vec<String> = keys.iter().map(|key| request(key)).collect();
    let paths: Vec<String> = requests.iter().flat_map(|path| [path.clone(), other_spelling(path)]).collect();
    let test = "paths_redirect_as_on_cloudflare_except_for_documented_differences";
    let Some(expected) = cloudflare_answers(test, &cases, &vec![paths; FILES]) else { return };
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for (settings, followed) in SETTINGS {
        for (case, answers) in cases.iter().zip(&expected) {
            let answer = answer(case, settings);
            let site = answer.published();
            let reported = reported(&answer.summary.findings);
            let context = || format!("\n{}\nobjects {:?}\n{:#?}", case.file, case.objects, answer.summary.findings);
            let redirect = |answer: &CloudflareAnswer| {
                let followed = answer.line.is_some() && followed.contains(&answer.status);
                followed.then(|| decoded(answer.location.as_ref().unwrap()))
            };
            for ((key, path), answers) in keys.iter().zip(&requests).zip(answers.chunks(2)) {
                let there = redirect(&answers[0]);
                let here = site.get(key).and_then(|entry| entry.redirect.as_deref()).map(decoded);
                let outcome = if case.objects.contains(&key.as_str()) {
                    // On Cloudflare the redirect takes precedence.
                    assert_eq!(here, None, "`{path}`{}", context());
                    if there.is_some() { "object-first" } else { "object" }
                } else if here == there {
                    if here.is_some() { "same" } else { "none" }
                } else if here.is_some() {
                    // A `/` at the end makes no difference here.
                    assert_eq!(here, redirect(&answers[1]), "`{path}`{}", context());
                    "slash"
                } else {
                    let line = answers[0].line.unwrap();
                    assert!(reported.contains(&line), "`{path}` of line {line}{}", context());
                    let loops = answer.summary.findings.iter().any(|finding| finding.code == "redirect-loop");
                    let taken = answers[1].line.is_some_and(|other| other < line);
                    let missed = !loops && !taken && must_redirect(case, path, line, &there.unwrap());
                    assert!(!missed, "`{path}` of line {line}{}", context());
                    "reported"
                };
                *totals.entry(outcome).or_default() += 1;
            }
        }
    }
    let enough = ["object-first", "same", "slash", "reported"];
    assert!(enough.iter().all(|outcome| totals.get(outcome).is_some_and(|count| *count > FILES / 2)), "{totals:?}");
}

/// The key that visitors reach at a path.
fn key_of(path: &str) -> String {
    let path = decoded(path);
    format!("{}{}", path.trim_start_matches('/'), if path.ends_with('/') { "index.html" } else { "" })
}

/// Cloudflare's documented examples.
const DOCUMENTED: &str = "\
/home301 / 301
/home302 / 302
/querystrings /?query=string 301
/twitch https://twitch.tv
/trailing /trailing/ 301
/notrailing/ /nottrailing 301
/page/ /page2/#fragment 301
/blog/* https://blog.my.domain/:splat
/products/:code/:name /products?code=:code&name=:name
";

/// File, objects, path, and the answers: `STATUS LOCATION` there, the target of the redirect here.
type RedirectsExample = (&'static str, &'static [&'static str], &'static str, &'static str, Option<&'static str>);

const EXAMPLES: [RedirectsExample; 45] = [
    (DOCUMENTED, &[], "/home301", "301 /", Some("/")),
    (DOCUMENTED, &[], "/home302", "302 /", None),
    (DOCUMENTED, &[], "/querystrings", "301 /?query=string", Some("/?query=string")),
    (DOCUMENTED, &[], "/twitch", "302 https://twitch.tv/", None),
    (DOCUMENTED, &[], "/trailing", "301 /trailing/", Some("/trailing/")),
    (DOCUMENTED, &[], "/notrailing/", "301 /nottrailing", Some("/nottrailing")),
    (DOCUMENTED, &[], "/page/", "301 /page2/#fragment", Some("/page2/#fragment")),
    (DOCUMENTED, &[], "/blog/a/b", "302 https://blog.my.domain/a/b", None),
    (DOCUMENTED, &[], "/products/1/x", "302 /products?code=1&name=x", None),
    // Redirects are chained.
    ("/a/* /b/:splat 301\n/b/* /c/:splat 301\n", &["c/x"], "/a/x", "301 /b/x", Some("/b/x")),
    // Only paths whose targets exist.
    ("/a/* /b/:splat 301\n", &["b/x"], "/a/x", "301 /b/x", Some("/b/x")),
    ("/a/* /b/:splat 301\n", &["b/x"], "/a/y", "301 /b/y", None),
    (
        "/movies/:title /media/:title 301\n",
        &["media/m.html"],
        "/movies/m.html",
        "301 /media/m.html",
        Some("/media/m.html"),
    ),
    // A path is one line's.
    ("/a /b 301\n/a /c 301\n", &[], "/a", "301 /b", Some("/b")),
    ("/a* /b 301\n/a /c 301\n", &["b"], "/a", "301 /b", Some("/b")),
    // No status, and other statuses.
    ("/a /b\n", &[], "/a", "302 /b", None),
    ("/a /b 307\n", &[], "/a", "307 /b", None),
    ("/a /b 303\n", &[], "/a", "303 /b", None),
    ("/a /b 308\n", &[], "/a", "308 /b", Some("/b")),
    ("/a /b 200\n", &["b"], "/a", "200", None),
    ("/a /b 404\n/a /c 301\n", &[], "/a", "301 /c", None),
    ("/a /b 410\n", &[], "/a", "404", None),
    // Netlify's extensions.
    ("/a /b 301!\n", &["b"], "/a", "404", Some("/b")),
    ("/a /b 301 Country=au\n/a /c 301\n", &[], "/a", "301 /c", None),
    ("/a id=:id /b 301\n", &[], "/a", "404", None),
    // An object takes precedence, and a page in a file of its own, too.
    ("/a /b 301\n", &["a"], "/a", "301 /b", None),
    ("/a /b 301\n", &["a.html"], "/a", "301 /b", None),
    ("/a/* /b/:splat 301\n", &["a/x", "b/x"], "/a/x", "301 /b/x", None),
    // Slashes.
    ("/a /b 301\n", &[], "/a/", "404", Some("/b")),
    ("/a/ /b 301\n", &[], "/a", "404", Some("/b")),
    ("/a/* /b/:splat 301\n", &["b/index.html"], "/a", "404", Some("/b/")),
    // Where a `*` and a placeholder may be.
    ("/b* /c/:splat 301\n", &["c/x"], "/b/x", "301 /c//x", Some("/c/x")),
    ("/x/*/y /z/:splat 301\n", &["z/1"], "/x/1/y", "301 /z/1", Some("/z/1")),
    ("/x/*/y /z/:splat 301\n", &["z/index.html"], "/x/y", "404", Some("/z/")),
    ("/*.php /:splat 301\n", &["a"], "/a.php", "301 /a", None),
    ("/*/x/* /:splat 301\n", &["b"], "/a/x/b", "404", None),
    ("/p/:id/:id /q/:id 301\n", &["q/1"], "/p/1/2", "404", None),
    ("/p/a-:id /q/:id 301\n", &["q/1"], "/p/a-1", "301 /q/1", None),
    // Paths that are already at the target.
    ("/* /en/:splat 301\n", &["en/a"], "/en/a/b", "301 /en/en/a/b", None),
    // Encoding.
    ("/caf%C3%A9 /b 301\n", &[], "/café", "301 /b", Some("/b")),
    ("/café /b 301\n", &[], "/café", "301 /b", Some("/b")),
    ("/caf%c3%a9 /b 301\n", &[], "/café", "404", Some("/b")),
    ("/a%20b /c 301\n", &[], "/a%20b", "301 /c", Some("/c")),
    // Targets and hosts.
    ("/a http://h.example/ 301\n", &[], "/a", "404", Some("http://h.example/")),
    ("https://site.example/a /b 301\n", &[], "/a", "404", None),
];

#[test]
fn documented_examples_of_cloudflare_redirect_as_documented() {
    let cases: Vec<RedirectsCase<'_>> =
        EXAMPLES.iter().map(|(file, objects, ..)| RedirectsCase { file, objects: objects.to_vec() }).collect();
    let paths: Vec<Vec<String>> = EXAMPLES.iter().map(|(_, _, path, ..)| vec![(*path).to_owned()]).collect();
    let test = "documented_examples_of_cloudflare_redirect_as_documented";
    let Some(answers) = cloudflare_answers(test, &cases, &paths) else { return };
    let mut wrong = Vec::new();
    for (((_, _, path, there, here), case), answers) in EXAMPLES.iter().zip(&cases).zip(&answers) {
        let CloudflareAnswer { status, location, .. } = &answers[0];
        let found_there = format!("{status} {}", location.as_deref().unwrap_or_default());
        let answer = answer(case, SETTINGS[0].0);
        let site = answer.published();
        let found_here = site.get(&key_of(path)).and_then(|entry| entry.redirect.as_deref());
        if found_there.trim_end() != *there || found_here != *here {
            wrong.push(format!("{:?} for {path}: there {found_there}, here {found_here:?}", case.file));
        }
        // What comes out in another way than there, and not by the documented precedence and slashes, is reported.
        let reported = reported(&answer.summary.findings);
        let differs = found_here.is_none() && location.is_some();
        if differs && reported.is_empty() {
            wrong.push(format!("{:?} for {path}: not reported", case.file));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lines_beyond_the_limits_of_cloudflare_are_followed() {
    let lines = |count: usize, from: &str| -> String {
        (0..count).map(|line| format!("/{from}{line} /to{line} 301\n")).collect()
    };
    let placeholders: String = (0..102).map(|line| format!("/p{line}/:x /to/:x 301\n")).collect();
    // Files, the last path that Cloudflare redirects, and one beyond the limit.
    let files = [
        (lines(2_002, "s"), "/s1999", "/s2000"),
        (format!("/x/:y /z/:y 301\n{}", lines(102, "s")), "/s98", "/s99"),
        (placeholders, "/p99/a", "/p100/a"),
        (format!("/{} /b 301\n/c /d 301\n", "a".repeat(1_990)), "/c", "/none"),
    ];
    let cases: Vec<RedirectsCase<'_>> =
        files.iter().map(|(file, ..)| RedirectsCase { file, objects: vec!["to/a"] }).collect();
    let paths: Vec<Vec<String>> =
        files.iter().map(|(_, last, beyond)| vec![(*last).to_owned(), (*beyond).to_owned()]).collect();
    let test = "lines_beyond_the_limits_of_cloudflare_are_followed";
    let Some(answers) = cloudflare_answers(test, &cases, &paths) else { return };
    for ((case, paths), answers) in cases.iter().zip(&paths).zip(&answers) {
        assert_eq!((answers[0].status, answers[1].status), (301, 404), "{paths:?}");
        let answer = answer(case, SETTINGS[0].0);
        let site = answer.published();
        for path in paths.iter().filter(|path| *path != "/none") {
            assert!(site[&key_of(path)].redirect.is_some(), "{path}");
        }
    }
}

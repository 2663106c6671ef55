//! `tidegate sync`: `--exclude` and `--include` select the same keys in the source and on the target.

use crate::TestDirectory;

/// The keys that `sync --delete` would delete from a site with the keys `old` if the source has the keys `new`.
fn deletes(old: &[&str], new: &[&str], filters: &[&str]) -> Vec<String> {
    let directory = TestDirectory::new("");
    for (name, keys) in [("old", old), ("new", new)] {
        directory.write_site(name, &keys.iter().map(|key| (*key, "x")).collect::<Vec<_>>());
    }
    let output = directory.run(&["sync", "old", "s3://docs-site/"]);
    assert!(output.status.success(), "{output:?}");
    let command = ["sync", "new", "s3://docs-site/", "--delete", "--dry-run"];
    let (code, planned) = directory.json(&[&command, filters].concat());
    assert_eq!(code, 0, "{planned}");
    let operations = planned["plan"]["operations"].as_array().unwrap();
    let deletes = operations.iter().filter(|operation| operation["action"].get("delete").is_some());
    deletes.map(|operation| operation["key"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn keeps_an_excluded_folder_below_an_included_pattern() {
    let old = ["app.js", "drafts/a.html", "index.html", "old.html"];
    let filters = ["--exclude", "*", "--include", "*.html", "--exclude", "drafts/"];
    assert_eq!(deletes(&old, &["index.html"], &filters), ["old.html"]);
}

#[test]
fn deletes_everything_below_an_included_folder() {
    let old = ["about.html", "blog/2024/old.html", "blog/index.html"];
    let filters = ["--exclude", "*", "--include", "blog/*"];
    assert_eq!(deletes(&old, &["blog/index.html"], &filters), ["blog/2024/old.html"]);
}

#[test]
fn finds_the_distribution_by_its_bucket() {
    let directory = TestDirectory::new("");
    directory.write_site("one", &[("index.html", "1")]);
    directory.write_site("two", &[("index.html", "2")]);
    let (code, _) = directory.json(&["sync", "one", "s3://docs-site/v1/", "--distribution", "E2EXAMPLE:/v1"]);
    assert_eq!(code, 0);
    let (code, _) = directory.json(&["sync", "one", "s3://docs-site/v2/", "--distribution", "E3EXAMPLE:/v2"]);
    assert_eq!(code, 0);
    let (code, report) = directory.json(&["sync", "two", "s3://docs-site/v1/", "--cf-invalidate"]);
    assert_eq!(code, 0, "{report}");
    let text = report.to_string();
    assert!(text.contains("E2EXAMPLE") && !text.contains("E3EXAMPLE"), "only the one that shows this prefix: {text}");
    for target in ["s3://docs-site/v3/", "s3://docs-site2/v1/"] {
        let missing = directory.run(&["sync", "two", target, "--cf-invalidate"]);
        assert_eq!(missing.status.code(), Some(2), "{missing:?}");
        let stderr = String::from_utf8_lossy(&missing.stderr).into_owned();
        assert!(
            stderr.contains("no distribution of this account reads") && stderr.contains("--distribution ID"),
            "{stderr}"
        );
    }
}

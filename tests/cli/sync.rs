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

//! Sources as people have them, such as files that are compressed already.

use std::fs;

use crate::TestDirectory;

/// The exit code, and what the command printed.
fn run(directory: &TestDirectory, arguments: &[&str]) -> (i32, String) {
    let output = directory.run(arguments);
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), printed)
}

#[test]
fn reports_compressed_text_without_an_encoding() {
    let directory = TestDirectory::new("");
    fs::write(directory.path().join("site/style.css"), b"\x1f\x8b\x08\0\0\0\0\0\0\x03").unwrap();
    let sync = ["sync", "site", "s3://docs-site/", "--dry-run"];
    let (code, reported) = run(&directory, &sync);
    assert_eq!(code, 0, "{reported}");
    assert!(
        reported.contains("the body is gzip; set `content-encoding` to `gzip` with `--content-encoding"),
        "{reported}"
    );
    assert!(reported.contains("(`style.css`)"), "{reported}");
    let (code, declared) = run(&directory, &[&sync[..], &["--content-encoding", "*.css=gzip"]].concat());
    assert_eq!(code, 0, "{declared}");
    assert!(!declared.contains("the body is gzip"), "{declared}");
}

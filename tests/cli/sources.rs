//! Sources as people have them: zips with one top folder, zips above the limits, links out of the directory, and files that
//! are compressed already.

use std::fs;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::symlink;

use zip::write::{SimpleFileOptions, ZipWriter};

use crate::TestDirectory;

const DOCS: &str = "[[site]]\nname = \"docs\"\ntarget = \"s3://docs-site/\"\n";

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, body) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(body).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The exit code, and what the command printed.
fn run(directory: &TestDirectory, arguments: &[&str]) -> (i32, String) {
    let output = directory.run(arguments);
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), printed)
}

#[test]
fn reports_a_top_folder_that_hides_the_site() {
    let directory = TestDirectory::new(DOCS);
    let files: [(&str, &[u8]); 3] =
        [("site-main/a.css", b"a{}"), ("site-main/index.html", b"<p>new"), ("__MACOSX/site-main/._a.css", b"x")];
    fs::write(directory.path().join("site.zip"), zip(&files)).unwrap();
    let sync = ["sync", "site.zip", "s3://docs-site/", "--delete", "--dry-run"];

    let (code, first) = run(&directory, &sync);
    assert_eq!(code, 0, "{first}");
    assert!(
        first.contains("its `index.html` would not be that of the site; use `--strip-prefix site-main/`"),
        "{first}"
    );
    let (code, published) = run(&directory, &["sync", "site", "s3://docs-site/"]);
    assert_eq!(code, 0, "{published}");
    let (code, second) = run(&directory, &sync);
    assert_eq!(code, 0, "{second}");
    assert!(
        second.contains("the `index.html` of the site would be deleted; use `--strip-prefix site-main/`"),
        "{second}"
    );
    let (_, configured) = run(&directory, &["plan", "docs", "--from", "site.zip"]);
    assert!(configured.contains("set the site's `strip-prefix` to `site-main/`"), "{configured}");

    let (code, stripped) = run(&directory, &[&sync[..], &["--strip-prefix", "site-main"]].concat());
    assert_eq!(code, 0, "{stripped}");
    assert!(stripped.contains("~ index.html") && !stripped.contains("top folder"), "{stripped}");
    assert!(!stripped.contains("would be deleted"), "{stripped}");
    let (code, wrong) = run(&directory, &[&sync[..], &["--strip-prefix", "site"]].concat());
    assert_eq!(code, 2, "{wrong}");
    assert!(
        wrong.contains("no name of the source starts with `site/`, but `__MACOSX/site-main/._a.css` is there"),
        "{wrong}"
    );
    // The site has the folder now: this is how it is meant.
    run(&directory, &["sync", "site.zip", "s3://docs-site/"]);
    let (_, known) = run(&directory, &sync);
    assert!(!known.contains("--strip-prefix"), "{known}");
}

#[test]
fn raises_a_limit_of_archives_by_flag_and_configuration() {
    let directory = TestDirectory::new(DOCS);
    fs::write(directory.path().join("site.zip"), zip(&[("index.html", &vec![b' '; 2_000_000])])).unwrap();
    for command in [&["sync", "site.zip", "s3://docs-site/"][..], &["publish", "docs", "--from", "site.zip"]] {
        let (code, refused) = run(&directory, command);
        assert_ne!(code, 0, "{refused}");
        assert!(refused.contains("compressed more than 250 to 1"), "{refused}");
        assert!(refused.contains("`--archive-limit ratio=NUMBER`"), "{refused}");
        let (code, raised) = run(&directory, &[command, &["--archive-limit", "ratio=2000"]].concat());
        assert_eq!(code, 0, "{raised}");
    }
    fs::write(directory.path().join("tidegate.toml"), format!("{DOCS}archive-limits = {{ ratio = 2000 }}\n")).unwrap();
    let (code, configured) = run(&directory, &["publish", "docs", "--from", "site.zip"]);
    assert_eq!(code, 0, "{configured}");
    let (code, unknown) = run(&directory, &["plan", "docs", "--archive-limit", "files=2"]);
    assert_eq!(code, 2, "{unknown}");
    assert!(unknown.contains("available: entries, entry-bytes, total-bytes, ratio"), "{unknown}");
}

#[test]
fn follows_links_out_of_a_directory_on_request() {
    let directory = TestDirectory::new(DOCS);
    directory.write_site("shared", &[("logo.svg", "<svg/>")]);
    symlink("../shared", directory.path().join("site/shared")).unwrap();
    for command in [&["sync", "site", "s3://docs-site/"][..], &["publish", "docs", "--from", "site"]] {
        let (code, refused) = run(&directory, command);
        assert_ne!(code, 0, "{refused}");
        assert!(
            refused.contains("leads out of the source") && refused.contains("--follow-external-links"),
            "{refused}"
        );
        let (code, followed) = run(&directory, &[command, &["--follow-external-links"]].concat());
        assert_eq!(code, 0, "{followed}");
    }
    let (code, explained) =
        run(&directory, &["explain", "docs", "--from", "site", "--follow-external-links", "shared/logo.svg"]);
    assert_eq!(code, 0, "{explained}");
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

//! Archives on the way to a site: what one that lies, or is broken, can do to it. `docs/archives.md` says the same in words;
//! the rules themselves are tested in `crates/publish/tests/source_suite`.

use tidegate_core::report::Outcome;
use tidegate_tests::source::STAGING;
use tidegate_tests::{Publish, SourceKind, SourceObject, Sources, World, calls};

use crate::{plugin, site_with, texts};

/// What the next release holds. The large asset does not fit into one buffer, so that its body is streamed.
fn release(kind: SourceKind) -> Sources {
    let large = SourceObject::sized("large.bin", 700_000, 7);
    let texts = [("app.js", "script"), ("index.html", "new page"), ("style.css", "a{b:c}")];
    let mut objects: Vec<SourceObject> = texts.map(|(key, body)| SourceObject::text(key, body)).into();
    objects.push(large);
    Sources { kind, objects }
}

/// A site with an older release, and the next one in an archive.
async fn staged(kind: SourceKind) -> (World, Publish) {
    let world = World::new().await;
    world.seed(&texts(&[("index.html", "old page"), ("stale.js", "x")])).await;
    let publish = world.publish(&site_with(&plugin("sync", "mime", "{}")), &release(kind)).await;
    (world, publish)
}

/// Changes one byte of an entry's packed content and nothing else, so that its checksum is a lie.
#[expect(clippy::indexing_slicing, reason = "the layout of an archive that this test made")]
async fn spoil(world: &World, kind: SourceKind, name: &str) {
    let client = world.client();
    let path = world.directory().join("source.zip");
    let mut bytes = match kind {
        SourceKind::Zip => std::fs::read(&path).unwrap(),
        _ => {
            let body = client.get_object().bucket(STAGING).key("build.zip").send().await.unwrap().body;
            body.collect().await.unwrap().to_vec()
        }
    };
    let header = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    let extra = usize::from(u16::from_le_bytes([bytes[header - 2], bytes[header - 1]]));
    // Behind the header of a block of deflate, in what stands for the first letters.
    bytes[header + name.len() + extra + 2] ^= 0x40;
    match kind {
        SourceKind::Zip => std::fs::write(&path, bytes).unwrap(),
        _ => {
            client.put_object().bucket(STAGING).key("build.zip").body(bytes.into()).send().await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_entry_that_lies_in_an_archive_of_this_machine_is_refused_before_there_is_a_plan() {
    for name in ["app.js", "large.bin", "index.html"] {
        let (world, publish) = staged(SourceKind::Zip).await;
        spoil(&world, SourceKind::Zip, name).await;
        world.forget();
        let error = publish.plan().await.unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}` in the archive")), "{error}");
        let writes = calls::writes(&world.faults.calls());
        assert!(writes.is_empty(), "the site is only listed: {writes:?}");
    }
}

#[tokio::test]
async fn an_asset_that_lies_in_a_staged_archive_stops_pages_and_deletes() {
    for name in ["app.js", "large.bin"] {
        let (world, publish) = staged(SourceKind::StagedZip).await;
        spoil(&world, SourceKind::StagedZip, name).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Partial, "{report}");
        let said = report.to_string();
        assert!(said.contains(&format!("`{name}` in the archive `s3://staging/build.zip`")), "{said}");
        let site = world.site().await;
        assert_eq!(site.get("index.html").unwrap().body.as_deref(), Some("old page"), "no page before its assets");
        assert!(site.get("stale.js").is_some(), "no delete after a failed write");
        assert!(site.get(name).is_none(), "no part of the entry that lies");
        assert_eq!(calls::count(&world.faults.calls(), "DeleteObjects"), 0);

        world.lay(&release(SourceKind::StagedZip)).await;
        assert_eq!(publish.run().await.outcome, Outcome::Live);
        assert_eq!(world.site().await.keys(), ["app.js", "index.html", "large.bin", "style.css"]);
        publish.assert_converged().await;
    }
}

#[tokio::test]
async fn a_page_that_lies_in_a_staged_archive_stops_deletes_and_leaves_the_old_page() {
    let (world, publish) = staged(SourceKind::StagedZip).await;
    spoil(&world, SourceKind::StagedZip, "index.html").await;
    // The site has a page of that size, so that planning reads the entry to compare it.
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("`index.html` in the archive"), "{error}");

    let (world, publish) = staged(SourceKind::StagedZip).await;
    world.seed(&texts(&[("index.html", "an old page of another size")])).await;
    spoil(&world, SourceKind::StagedZip, "index.html").await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    let site = world.site().await;
    assert_eq!(site.get("index.html").unwrap().body.as_deref(), Some("an old page of another size"));
    assert!(site.get("stale.js").is_some(), "{report}");
}

#[tokio::test]
async fn archives_that_are_cut_or_empty_touch_nothing() {
    let zip = {
        let (world, _) = staged(SourceKind::Zip).await;
        std::fs::read(world.directory().join("source.zip")).unwrap()
    };
    let empty = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    let cases = [
        (Vec::new(), "0 bytes"),
        (zip[..zip.len() / 2].to_vec(), "is not a zip, or its end is missing"),
        (empty, "holds no entry"),
        (b"<Error><Code>AccessDenied</Code></Error>".to_vec(), "is not a zip"),
    ];
    for kind in [SourceKind::Zip, SourceKind::StagedZip] {
        for (bytes, words) in cases.clone() {
            let (world, publish) = staged(kind).await;
            let before = world.site().await;
            std::fs::write(world.directory().join("source.zip"), &bytes).unwrap_or_default();
            world.client().put_object().bucket(STAGING).key("build.zip").body(bytes.into()).send().await.unwrap();
            world.forget();
            let error = publish.plan().await.unwrap_err().to_string();
            assert!(error.contains(words), "{words}: {error}");
            assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
            assert_eq!(world.site().await, before);
        }
    }
}

#[tokio::test]
async fn what_a_mac_adds_and_one_top_folder_are_left_out_by_rule() {
    let names = [
        "build/index.html",
        "build/.well-known/security.txt",
        "build/.DS_Store",
        "build/a/b.css",
        "__MACOSX/build/._index.html",
    ];
    let sources = Sources { kind: SourceKind::Zip, objects: names.map(|name| SourceObject::text(name, "x")).into() };
    let world = World::new().await;
    let publish = world.publish(&site_with(&plugin("sync", "exclude", "{}")), &sources).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(world.site().await.keys(), ["build/.well-known/security.txt", "build/a/b.css", "build/index.html"]);

    let strip = plugin("sync", "exclude", "{}") + &plugin("sync", "rewrite", "{ strip-prefix = \"build/\" }");
    let publish = world.publish(&site_with(&strip), &sources).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(world.site().await.keys(), [".well-known/security.txt", "a/b.css", "index.html"]);
    publish.assert_converged().await;
}

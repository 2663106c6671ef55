//! Publishing corrupt, truncated and empty archives. The rules of the archive reader are tested in
//! `crates/publish/tests/source_suite`.

use tidegate_core::report::Outcome;
use tidegate_tests::source::STAGING;
use tidegate_tests::{Publish, SourceKind, SourceObject, Sources, World, calls};

use crate::{plugin, site_with, texts};

/// The next release. The large asset does not fit into one buffer, so its body is streamed.
fn release(kind: SourceKind) -> Sources {
    let large = SourceObject::sized("large.bin", 700_000, 7);
    let texts = [("app.js", "script"), ("index.html", "new page"), ("style.css", "a{b:c}")];
    let mut objects: Vec<SourceObject> = texts.map(|(key, body)| SourceObject::text(key, body)).into();
    objects.push(large);
    Sources { kind, objects }
}

/// A site with an older release, and the next one in an archive. `mime` would read the entries while planning.
async fn staged(kind: SourceKind) -> (World, Publish) {
    let world = World::new().await;
    world.seed(&texts(&[("index.html", "old page"), ("stale.js", "x")])).await;
    let publish = world.publish(&site_with(&plugin("sync", "mime", "{ sniff = false }")), &release(kind)).await;
    (world, publish)
}

/// Changes one byte of an entry's compressed content, so that its checksum is wrong.
#[expect(clippy::indexing_slicing, reason = "the test made the archive and knows its layout")]
async fn corrupt(world: &World, kind: SourceKind, name: &str) {
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
    // After the header of the deflate block, in the code of the first bytes.
    bytes[header + name.len() + extra + 2] ^= 0x40;
    match kind {
        SourceKind::Zip => std::fs::write(&path, bytes).unwrap(),
        _ => {
            client.put_object().bucket(STAGING).key("build.zip").body(bytes.into()).send().await.unwrap();
        }
    }
}

#[tokio::test]
async fn rejects_a_local_archive_with_a_corrupt_entry_while_planning() {
    for name in ["app.js", "large.bin", "index.html"] {
        let (world, publish) = staged(SourceKind::Zip).await;
        corrupt(&world, SourceKind::Zip, name).await;
        world.clear_requests();
        let error = publish.plan().await.unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}` in the archive")), "{error}");
        let writes = calls::writes(&world.faults.calls());
        assert!(writes.is_empty(), "planning must only read: {writes:?}");
    }
}

#[tokio::test]
async fn a_corrupt_asset_in_a_staged_archive_stops_pages_and_deletes() {
    for name in ["app.js", "large.bin"] {
        let (world, publish) = staged(SourceKind::StagedZip).await;
        corrupt(&world, SourceKind::StagedZip, name).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Partial, "{report}");
        let text = report.to_string();
        assert!(text.contains(&format!("`{name}` in the archive `s3://staging/build.zip`")), "{text}");
        let site = world.site().await;
        assert_eq!(site.get("index.html").unwrap().body.as_deref(), Some("old page"), "no page before its assets");
        assert!(site.get("stale.js").is_some(), "no delete after a failed write");
        assert!(site.get(name).is_none(), "nothing of the corrupt entry is published");
        assert_eq!(calls::count(&world.faults.calls(), "DeleteObjects"), 0);

        world.stage(&release(SourceKind::StagedZip)).await;
        assert_eq!(publish.run().await.outcome, Outcome::Live);
        assert_eq!(world.site().await.keys(), ["app.js", "index.html", "large.bin", "style.css"]);
        publish.assert_converged().await;
    }
}

#[tokio::test]
async fn a_corrupt_page_in_a_staged_archive_stops_deletes_and_keeps_the_old_page() {
    let (world, publish) = staged(SourceKind::StagedZip).await;
    corrupt(&world, SourceKind::StagedZip, "index.html").await;
    // The site's page has the same size, so planning reads the entry to compare it.
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("`index.html` in the archive"), "{error}");

    let (world, publish) = staged(SourceKind::StagedZip).await;
    world.seed(&texts(&[("index.html", "an old page of another size")])).await;
    corrupt(&world, SourceKind::StagedZip, "index.html").await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Partial, "{report}");
    let site = world.site().await;
    assert_eq!(site.get("index.html").unwrap().body.as_deref(), Some("an old page of another size"));
    assert!(site.get("stale.js").is_some(), "{report}");
}

#[tokio::test]
async fn rejects_truncated_and_empty_archives_while_planning() {
    let zip = {
        let (world, _) = staged(SourceKind::Zip).await;
        std::fs::read(world.directory().join("source.zip")).unwrap()
    };
    let empty = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    let cases = [
        (Vec::new(), "0 bytes"),
        (zip[..zip.len() / 2].to_vec(), "is not a zip file, or its end is missing"),
        (empty, "has no entries"),
        (b"<Error><Code>AccessDenied</Code></Error>".to_vec(), "is not a zip file"),
    ];
    for kind in [SourceKind::Zip, SourceKind::StagedZip] {
        for (bytes, expected) in cases.clone() {
            let (world, publish) = staged(kind).await;
            let before = world.site().await;
            std::fs::write(world.directory().join("source.zip"), &bytes).unwrap_or_default();
            world.client().put_object().bucket(STAGING).key("build.zip").body(bytes.into()).send().await.unwrap();
            world.clear_requests();
            let error = publish.plan().await.unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
            assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
            assert_eq!(world.site().await, before);
        }
    }
}

#[tokio::test]
async fn excludes_files_added_by_macos_and_strips_a_top_folder_if_configured() {
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

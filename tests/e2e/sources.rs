//! Sources of every kind whose names are not those of the site.

use tidegate_core::report::Outcome;
use tidegate_tests::{SourceKind, SourceObject, Sources, World};

use crate::site_with;

#[tokio::test]
async fn strips_a_leading_folder_of_every_kind_of_source() {
    for kind in [SourceKind::Directory, SourceKind::Zip, SourceKind::Prefix, SourceKind::StagedZip] {
        let world = World::new().await;
        // `build-2/` is not in the folder.
        let names = ["build-2/index.html", "build/a/b.css", "build/index.html", "readme.txt"];
        let objects = names.map(|name| SourceObject::text(name, name)).into();
        let sources = Sources { kind, objects };
        let publish = world.publish(&site_with("strip-prefix = \"build/\"\n"), &sources).await;
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "{kind:?}: {report}");
        let site = world.site().await;
        assert_eq!(site.keys(), ["a/b.css", "index.html"], "{kind:?}");
        assert_eq!(site.get("index.html").unwrap().body.as_deref(), Some("build/index.html"), "{kind:?}");
        let [finding] = report.findings.as_slice() else { panic!("{kind:?}: {:?}", report.findings) };
        assert_eq!(finding.code, "outside-prefix");
        let expected = "2 objects outside of `build/`, such as `build-2/index.html`, are not published";
        assert_eq!(finding.message, expected, "{kind:?}");
        publish.assert_converged().await;

        let publish = world.publish(&site_with("strip-prefix = \"biuld/\"\n"), &sources).await;
        let error = publish.plan().await.unwrap_err().to_string();
        assert!(error.contains("no name of the source starts with `biuld/`"), "{kind:?}: {error}");
    }
}

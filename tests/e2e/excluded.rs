//! Excluding while listing changes nothing of a plan but the reading: for random trees in every kind of source, the plan is
//! that of a site whose plugin excludes alone, because a rewrite before it keeps the patterns from the listing.

use tidegate_core::plan::Plan;
use tidegate_tests::{SourceKind, SourceObject, Sources, World};

use crate::{plugin, site_with, texts};

const NAMES: [&str; 8] = ["a", "b.html", "c.map", ".git", "drafts", "x~", "index.html", ".DS_Store"];

const GLOBS: [&str; 10] =
    ["*.map", "drafts/", "/a", "!drafts/b.html", "!c.map", "a/**/x~", "!/a/drafts/**", "*", "!*.html", "!/.git/"];

fn tree(random: &mut fastrand::Rng) -> Vec<SourceObject> {
    let mut files: Vec<String> = Vec::new();
    for _ in 0..random.usize(1..25) {
        let depth = random.usize(1..5);
        let path: Vec<&str> = (0..depth).map(|_| NAMES[random.usize(..NAMES.len())]).collect();
        let path = path.join("/");
        // A file and a folder cannot have the same name.
        let conflicts = |other: &String| {
            format!("{path}/").starts_with(&format!("{other}/")) || format!("{other}/").starts_with(&format!("{path}/"))
        };
        if !files.iter().any(conflicts) {
            files.push(path);
        }
    }
    files.iter().map(|path| SourceObject::text(path, path)).collect()
}

/// What must be equal: a folder that is not read counts as one object.
fn comparable(plan: &Plan) -> (Vec<String>, [u64; 4]) {
    let operations = plan.operations.iter().map(|operation| serde_json::to_string(operation).unwrap()).collect();
    let totals = &plan.totals;
    (
        operations,
        [totals.published_objects, totals.published_bytes, totals.delete, totals.source_objects - totals.excluded],
    )
}

#[tokio::test]
async fn the_listing_excludes_what_the_plugin_would() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut folders = 0;
    for round in 0..16 {
        let kind = [SourceKind::Directory, SourceKind::Zip, SourceKind::Prefix, SourceKind::StagedZip][round % 4];
        let source = Sources { kind, objects: tree(&mut random) };
        let globs: Vec<&str> = (0..random.usize(..5)).map(|_| GLOBS[random.usize(..GLOBS.len())]).collect();
        let exclude = plugin("sync", "exclude", &format!("{{ globs = {globs:?} }}"));
        let rewrite = plugin("sync", "rewrite", "{ redirects-file = { enabled = false } }");
        let world = World::new().await;
        world.seed(&texts(&[("stale.html", "x"), ("drafts/b.html", "x")])).await;
        let mut plans = Vec::new();
        for plugins in [format!("{exclude}{rewrite}"), format!("{rewrite}{exclude}")] {
            plans.push(world.publish(&site_with(&plugins), &source).await.plan().await.unwrap().plan);
        }
        let [listing, alone] = &plans[..] else { panic!("two plans") };
        assert_eq!(comparable(listing), comparable(alone), "{globs:?} {:?}", source.objects);
        assert_eq!(alone.totals.excluded_folders, 0);
        folders += listing.totals.excluded_folders;
    }
    assert!(folders > 10, "only {folders} folders were excluded");
}

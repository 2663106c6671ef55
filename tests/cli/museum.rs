//! The museum: components that were built once for each released version of the contract run, with the same answers.
//!
//! `tests/museum/VERSION` has a component of each language and kind, made with `tidegate plugin new no-drafts` and
//! `tidegate plugin build` by the Tidegate of that version. A component in the museum never changes; `SHA256SUMS` says so.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use pretty_assertions::assert_eq;
use tidegate_core::config::Sha256Hex;

use super::languages::{Workshop, golden_judged, golden_published};

#[test]
fn components_of_released_contracts_run() {
    let museum = Path::new(env!("CARGO_MANIFEST_DIR")).join("museum");
    let mut components = 0;
    for version in fs::read_dir(museum).unwrap() {
        let version = version.unwrap().path();
        let sums = fs::read_to_string(version.join("SHA256SUMS")).unwrap();
        for line in sums.lines() {
            let (digest, file) = line.split_once("  ").unwrap();
            let mut bytes = Vec::new();
            let packed = fs::File::open(version.join(format!("{file}.gz"))).unwrap();
            flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
            assert_eq!(Sha256Hex::of(&bytes).as_str(), digest, "{file} changed");
            let workshop = Workshop::new();
            workshop.write("plugin.wasm", &bytes);
            let used = format!("plugin = \"./plugin.wasm\"\nsha256 = \"{digest}\"\n");
            match file {
                _ if file.starts_with("sync-") => assert_eq!(workshop.published(&used), golden_published(), "{file}"),
                _ => assert_eq!(workshop.judged(&used), golden_judged(), "{file}"),
            }
            components += 1;
        }
    }
    assert!(components >= 6, "{components}");
}

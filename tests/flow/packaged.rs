//! The plugins of a deployment package: the same site as by their components, and nothing that is not in the package.

use std::io::{Cursor, Read as _};
use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use tempfile::TempDir;
use tidegate_deploy::package::package;
use tidegate_deploy::{S3, Workshop};
use tidegate_host::package::Bootstrap;
use tidegate_host::plugin::{Package, Target};
use tidegate_tests::library::components;
use tidegate_tests::source::{STAGING, SourceObject, Sources};
use tidegate_tests::world::{Publish, World, site};
use zip::ZipArchive;

use crate::{plugin, site_with};

fn bundled(name: &str) -> &'static [u8] {
    tidegate_bundle::find(name).unwrap().bytes
}

/// A plugin of each kind of reference: bundled, in a file, in S3.
fn configuration(directory: &Path) -> String {
    let file = directory.join("exclude.wasm");
    std::fs::write(&file, bundled("exclude")).unwrap();
    let exclude = identified("exclude", file.to_str().unwrap()) + "settings = { globs = [\"*.map\"] }\n";
    site_with(&(plugin("sync", "mime", "{}") + &exclude + &identified("headers", &remote())))
}

fn remote() -> String {
    format!("s3://{STAGING}/plugins/headers.wasm")
}

/// A use of a component that is somewhere.
fn identified(component: &str, place: &str) -> String {
    let digest = tidegate_bundle::find(component).unwrap().sha256;
    format!("\n[[site.sync]]\nplugin = \"{place}\"\nsha256 = \"{digest}\"\n")
}

/// The compiled plugins of a configuration, unpacked.
async fn packaged(world: &World, configuration: &str) -> TempDir {
    // The head of an ELF file: 64-bit, little-endian, an executable for this machine.
    let here = Target::here().unwrap();
    let machine: u16 = match here {
        Target::X86_64 => 62,
        Target::Aarch64 => 183,
    };
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(64, 0);
    program[16] = 2;
    program[18..20].copy_from_slice(&machine.to_le_bytes());
    let s3 = S3::new(&world.publisher().connection);
    let bootstrap = Bootstrap::new(here, program).unwrap();
    let made = package(&components(), &s3, configuration, bootstrap, |_| ()).await.unwrap();
    let directory = TempDir::new().unwrap();
    let mut archive = ZipArchive::new(Cursor::new(made.archive)).unwrap();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let name = file.name().unwrap().into_owned();
        assert!(!name.ends_with(".wasm"), "{name}");
        if let Some(name) = name.strip_prefix("compiled/") {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            std::fs::write(directory.path().join(name), bytes).unwrap();
        }
    }
    directory
}

struct Staged {
    world: World,
    publish: Publish,
    configuration: String,
    /// What the publish reads compiled code from.
    _compiled: TempDir,
}

/// A publish by the plugins of a package, whose components are nowhere any more.
async fn staged() -> Staged {
    let world = World::new().await;
    let body = ByteStream::from_static(bundled("headers"));
    world.client().put_object().bucket(STAGING).key("plugins/headers.wasm").body(body).send().await.unwrap();
    let configuration = configuration(world.directory());
    let objects = [("index.html", "<p>hi"), ("a.js", "a"), ("a.js.map", "{}"), ("b.3f9a1c2b.css", "b{}")];
    let objects = objects.iter().map(|(key, body)| SourceObject::text(key, body)).collect();
    let mut publish = world.publish(&configuration, &Sources { objects, ..Sources::default() }).await;
    let by_components = publish.plan().await.unwrap().plan;
    let compiled = packaged(&world, &configuration).await;
    std::fs::remove_file(world.directory().join("exclude.wasm")).unwrap();
    world.client().delete_object().bucket(STAGING).key("plugins/headers.wasm").send().await.unwrap();
    assert!(publish.plan().await.is_err());
    let Workshop::Components(components) = publish.publisher.workshop else { panic!("no components") };
    publish.publisher.workshop = Workshop::Packaged(components.engine, Package::open(compiled.path()).unwrap());
    assert_eq!(publish.plan().await.unwrap().plan, by_components);
    Staged { world, publish, configuration, _compiled: compiled }
}

async fn refused(publish: &Publish) -> String {
    publish.plan().await.err().unwrap().to_string()
}

#[tokio::test]
async fn the_plugins_of_a_package_make_the_same_site() {
    let staged = staged().await;
    staged.publish.run().await;
    let keys: Vec<String> = staged.world.site().await.objects.iter().map(|object| object.key.clone()).collect();
    assert_eq!(keys, ["a.js", "b.3f9a1c2b.css", "index.html"]);
    staged.publish.assert_converged().await;
}

#[tokio::test]
async fn a_reference_that_was_not_packaged_is_refused() {
    let staged = staged().await;
    let (mut publish, configuration) = (staged.publish, staged.configuration);
    let others = [
        ("rewrite", plugin("sync", "rewrite", "{}")),
        ("headers", plugin("sync", "headers", "{}")),
        ("elsewhere.wasm", identified("rewrite", "elsewhere.wasm")),
        ("s3://staging/plugins/headers.wasm", identified("rewrite", &remote())),
    ];
    for (name, used) in others {
        publish.site = site(&(configuration.clone() + &used));
        let words = refused(&publish).await;
        assert!(words.contains(&format!("the plugin `{name}` is not in the package")), "{words}");
        assert!(words.contains("`tidegate package`"), "{words}");
    }
    // In the package, as the policy that is always there.
    publish.site = site(&(configuration + &plugin("sync", "guard", "{}")));
    let words = refused(&publish).await;
    assert!(words.contains("`guard` is a policy plugin"), "{words}");
}

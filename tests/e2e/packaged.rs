//! The plugins of a deployment package: the same site as by their components, and nothing that is not in the package.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use tempfile::TempDir;
use tidegate_core::architecture::Architecture;
use tidegate_core::lambda_package::{Bootstrap, COMPILED};
use tidegate_host::CodePackage;
use tidegate_lambda::package::package;
use tidegate_publish::{PluginLoader, S3};
use tidegate_tests::deployed::{program, unpack};
use tidegate_tests::plugins::components;
use tidegate_tests::source::{STAGING, SourceObject, Sources};
use tidegate_tests::world::{Publish, World, site};

use crate::{plugin, site_with};

fn bundled(name: &str) -> &'static [u8] {
    tidegate_bundled_plugins::find(name).unwrap().bytes
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
    let digest = tidegate_bundled_plugins::find(component).unwrap().sha256;
    format!("\n[[site.sync]]\nplugin = \"{place}\"\nsha256 = \"{digest}\"\n")
}

/// The package of a configuration, unpacked.
async fn packaged(world: &World, configuration: &str) -> TempDir {
    let here = Architecture::of_this_machine().unwrap();
    let s3 = S3::new(&world.publisher().connection);
    let bootstrap = Bootstrap::new(here, program(here)).unwrap();
    let made = package(&components(), &s3, configuration, bootstrap, |_| ()).await.unwrap();
    for file in &made.contents.files {
        assert!(!file.path.ends_with(".wasm"), "{}", file.path);
    }
    let directory = TempDir::new().unwrap();
    let zip = directory.path().join("function.zip");
    std::fs::write(&zip, made.archive).unwrap();
    unpack(&zip, directory.path());
    directory
}

struct Staged {
    world: World,
    publish: Publish,
    configuration: String,
    /// What the publish reads compiled code from.
    _unpacked: TempDir,
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
    let unpacked = packaged(&world, &configuration).await;
    std::fs::remove_file(world.directory().join("exclude.wasm")).unwrap();
    world.client().delete_object().bucket(STAGING).key("plugins/headers.wasm").send().await.unwrap();
    assert!(publish.plan().await.is_err());
    let PluginLoader::Components(components) = publish.publisher.plugins else { panic!("no components") };
    publish.publisher.plugins =
        PluginLoader::Packaged(components.engine, CodePackage::open(&unpacked.path().join(COMPILED)).unwrap());
    assert_eq!(publish.plan().await.unwrap().plan, by_components);
    Staged { world, publish, configuration, _unpacked: unpacked }
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
        assert!(words.contains(&format!("cannot load plugin `{name}`: it is not in the package")), "{words}");
        assert!(words.contains("`tidegate package`"), "{words}");
    }
    // In the package, as the policy that is always there.
    publish.site = site(&(configuration + &plugin("sync", "guard", "{}")));
    let words = refused(&publish).await;
    assert!(words.contains("`guard` is a policy plugin"), "{words}");
}

//! Plugins from a deployment package: they publish the same site as their components do, and no other plugin is loaded.

use std::io::Cursor;
use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use minisign::KeyPair;
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

/// One plugin of each kind of reference: bundled, in a file, in S3.
fn configuration(directory: &Path) -> String {
    let file = directory.join("exclude.wasm");
    std::fs::write(&file, bundled("exclude")).unwrap();
    let exclude = plugin_at("exclude", file.to_str().unwrap()) + "settings = { globs = [\"*.map\"] }\n";
    site_with(&(plugin("sync", "mime", "{}") + &exclude + &plugin_at("headers", &remote())))
}

fn remote() -> String {
    format!("s3://{STAGING}/plugins/headers.wasm")
}

/// A sync plugin at `location` with the digest of a bundled component, as TOML.
fn plugin_at(component: &str, location: &str) -> String {
    let digest = tidegate_bundled_plugins::find(component).unwrap().sha256;
    format!("\n[[site.sync]]\nplugin = \"{location}\"\nsha256 = \"{digest}\"\n")
}

/// Builds the package of a configuration and unpacks it.
async fn packaged(world: &World, configuration: &str) -> TempDir {
    let architecture = Architecture::of_this_machine().unwrap();
    let s3 = S3::new(&world.publisher().connection);
    let bootstrap = Bootstrap::new(architecture, program(architecture)).unwrap();
    let package = package(&components(), &s3, configuration, bootstrap, |_| ()).await.unwrap();
    for file in &package.contents.files {
        assert!(!file.path.ends_with(".wasm"), "{}", file.path);
    }
    let directory = TempDir::new().unwrap();
    let zip = directory.path().join("function.zip");
    std::fs::write(&zip, package.archive).unwrap();
    unpack(&zip, directory.path());
    directory
}

struct Staged {
    world: World,
    publish: Publish,
    configuration: String,
    /// Keeps the directory from which the publish reads compiled code.
    _unpacked: TempDir,
}

/// A publish that loads its plugins from a package, after their components were deleted.
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
    let PluginLoader::Components(components) = publish.publisher.plugins else { panic!("not a component loader") };
    publish.publisher.plugins =
        PluginLoader::Packaged(components.engine, CodePackage::open(&unpacked.path().join(COMPILED)).unwrap());
    assert_eq!(publish.plan().await.unwrap().plan, by_components);
    Staged { world, publish, configuration, _unpacked: unpacked }
}

async fn plan_error(publish: &Publish) -> String {
    publish.plan().await.err().unwrap().to_string()
}

#[tokio::test]
async fn packaged_plugins_publish_the_same_site() {
    let staged = staged().await;
    staged.publish.run().await;
    let keys: Vec<String> = staged.world.site().await.objects.iter().map(|object| object.key.clone()).collect();
    assert_eq!(keys, ["a.js", "b.3f9a1c2b.css", "index.html"]);
    staged.publish.assert_converged().await;
}

#[tokio::test]
async fn rejects_a_plugin_that_is_not_in_the_package() {
    let staged = staged().await;
    let (mut publish, configuration) = (staged.publish, staged.configuration);
    let others = [
        ("rewrite", plugin("sync", "rewrite", "{}")),
        ("headers", plugin("sync", "headers", "{}")),
        ("elsewhere.wasm", plugin_at("rewrite", "elsewhere.wasm")),
        ("s3://staging/plugins/headers.wasm", plugin_at("rewrite", &remote())),
    ];
    for (name, used) in others {
        publish.site = site(&(configuration.clone() + &used));
        let error = plan_error(&publish).await;
        assert!(error.contains(&format!("cannot load plugin `{name}`: it is not in the package")), "{error}");
        assert!(error.contains("`tidegate package`"), "{error}");
    }
    // `guard` is in the package, but as a policy.
    publish.site = site(&(configuration + &plugin("sync", "guard", "{}")));
    let error = plan_error(&publish).await;
    assert!(error.contains("`guard` is a policy plugin"), "{error}");
}

/// A signed plugin in S3, without a digest in the configuration.
#[tokio::test]
async fn a_signed_plugin_is_verified_when_the_package_is_made() {
    let world = World::new().await;
    let key = KeyPair::generate_unencrypted_keypair().unwrap();
    let configuration = site_with(&format!(
        "\n[[site.sync]]\nplugin = \"{}\"\nversion = \"1\"\n\n\
         [plugins]\ntrusted-keys = [\"{}\"]\nrequire-signatures = true\n",
        remote(),
        key.pk.to_base64()
    ));
    let component = bundled("headers");
    let put = |name: &'static str, body: Vec<u8>| {
        world.client().put_object().bucket(STAGING).key(format!("plugins/{name}")).body(body.into()).send()
    };
    put("headers.wasm", component.to_vec()).await.unwrap();
    let architecture = Architecture::of_this_machine().unwrap();
    let s3 = S3::new(&world.publisher().connection);
    let bootstrap = || Bootstrap::new(architecture, program(architecture)).unwrap();
    let error = package(&components(), &s3, &configuration, bootstrap(), |_| ()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("needs a signature, and `{}.minisig` cannot be read", remote())), "{error}");

    let sign = |comment: &str| {
        minisign::sign(Some(&key.pk), &key.sk, Cursor::new(component), Some(comment), None).unwrap().into_string()
    };
    put("headers.wasm.minisig", sign("name:guard version:1.0.0").into_bytes()).await.unwrap();
    let error = package(&components(), &s3, &configuration, bootstrap(), |_| ()).await.unwrap_err().to_string();
    assert!(error.contains("for the plugin `guard`, not for `headers`"), "{error}");

    put("headers.wasm.minisig", sign("name:headers version:1.0.0").into_bytes()).await.unwrap();
    let unpacked = packaged(&world, &configuration).await;
    let objects = vec![SourceObject::text("index.html", "<p>hi")];
    let mut publish = world.publish(&configuration, &Sources { objects, ..Sources::default() }).await;
    let mut by_components = publish.plan().await.unwrap().plan;
    assert!(by_components.inputs.plugins[0].signed.take().is_some());
    // The function trusts its package, so it needs neither the component nor the signature.
    for key in ["plugins/headers.wasm", "plugins/headers.wasm.minisig"] {
        world.client().delete_object().bucket(STAGING).key(key).send().await.unwrap();
    }
    assert!(publish.plan().await.is_err());
    let PluginLoader::Components(components) = publish.publisher.plugins else { panic!("not a component loader") };
    publish.publisher.plugins =
        PluginLoader::Packaged(components.engine, CodePackage::open(&unpacked.path().join(COMPILED)).unwrap());
    assert_eq!(publish.plan().await.unwrap().plan, by_components);
}

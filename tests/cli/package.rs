//! `tidegate package`: the contents of the zip, reproducibility, and errors.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use serde_json::Value;
use tidegate_core::architecture::Architecture;
use tidegate_core::config::Sha256Hex;
use tidegate_core::identity::sha256;
use tidegate_host::{CodePackage, Compiler, Engine, Plugin};
use tidegate_tests::deployed::program;
use zip::{CompressionMethod, DateTime, ZipArchive};

use super::TestDirectory;

/// A directory whose configuration uses `mime`, and a plugin at `path`. `x86_64` and `aarch64` are programs for them.
fn directory_with_plugin(path: &str) -> TestDirectory {
    let component = tidegate_bundled_plugins::find("headers").unwrap().bytes;
    let site = |name: &str, plugin: &str| {
        format!("[[site]]\nname = \"{name}\"\ntarget = \"s3://{name}-site/\"\n\n[[site.sync]]\nplugin = {plugin}\n\n")
    };
    let in_file = format!("\"{path}\"\nsha256 = \"{}\"", sha256(component));
    let directory = TestDirectory::new(&format!("{}{}", site("docs", "\"mime\""), site("blog", &in_file)));
    let file = directory.path().join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, component).unwrap();
    std::fs::write(directory.path().join("x86_64"), program(Architecture::X86_64)).unwrap();
    std::fs::write(directory.path().join("aarch64"), program(Architecture::Aarch64)).unwrap();
    directory
}

struct UnpackedZip {
    names: Vec<String>,
    modes: Vec<u32>,
    files: BTreeMap<String, Vec<u8>>,
}

fn unpack(bytes: &[u8]) -> UnpackedZip {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut unpacked = UnpackedZip { names: Vec::new(), modes: Vec::new(), files: BTreeMap::new() };
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        assert_eq!(file.compression(), CompressionMethod::Deflated);
        let name = file.name().unwrap().into_owned();
        assert_eq!(file.last_modified(), Some(DateTime::default()), "{name}");
        assert_eq!(file.extra_data().unwrap_or_default(), b"", "{name}");
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        unpacked.names.push(name.clone());
        unpacked.modes.push(file.unix_mode().unwrap() & 0o7777);
        unpacked.files.insert(name, content);
    }
    unpacked
}

#[test]
fn the_package_is_complete_and_reproducible() {
    let this_machine = Architecture::of_this_machine().unwrap();
    // Only the compiled code is packed, so the plugin's path may leave the directory.
    let path = "plugins/../own.wasm";
    let directory = directory_with_plugin(path);
    for target in Architecture::ALL {
        let name = target.as_str();
        let command = ["package", "--target", name, "--bootstrap", name, "--out"];
        let (code, report) = directory.json(&[&command[..], &["first.zip"]].concat());
        assert_eq!(code, 0, "{report}");
        let first = std::fs::read(directory.path().join("first.zip")).unwrap();
        assert_eq!(report["sha256"], Value::from(sha256(&first)));
        assert_eq!(
            (&report["bytes"], &report["path"], &report["target"]),
            (&Value::from(first.len()), &Value::from("first.zip"), &Value::from(name))
        );
        assert_eq!(directory.json(&[&command[..], &["second.zip"]].concat()).0, 0);
        assert!(first == std::fs::read(directory.path().join("second.zip")).unwrap(), "{name}");

        let zip = unpack(&first);
        let listed: Vec<&str> =
            report["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
        assert_eq!(zip.names, listed);
        let mut sorted = zip.names.clone();
        sorted.sort();
        assert_eq!(zip.names, sorted);
        let mut expected: Vec<String> = ["mime", "headers", "guard"]
            .map(|plugin| format!("compiled/{}-{name}.cwasm", tidegate_bundled_plugins::find(plugin).unwrap().sha256))
            .to_vec();
        expected.extend(["bootstrap", "compiled/index.json", "tidegate.toml"].map(str::to_owned));
        expected.sort();
        assert_eq!(zip.names, expected);
        for (name, mode) in zip.names.iter().zip(&zip.modes) {
            assert_eq!(*mode, if name == "bootstrap" { 0o755 } else { 0o644 }, "{name}");
        }
        assert_eq!(zip.files["bootstrap"], program(target));
        let configuration = std::fs::read(directory.path().join("tidegate.toml")).unwrap();
        assert_eq!(zip.files["tidegate.toml"], configuration);
        // The Lambda accepts the compiled plugins on the architecture that they are for.
        let unpacked = tempfile::tempdir().unwrap();
        for (name, bytes) in zip.files.iter().filter_map(|(name, bytes)| Some((name.strip_prefix("compiled/")?, bytes)))
        {
            std::fs::write(unpacked.path().join(name), bytes).unwrap();
        }
        match CodePackage::open(unpacked.path()) {
            Ok(package) => {
                assert_eq!(target, this_machine);
                let engine = Engine::new().unwrap();
                for plugin in ["mime", "headers", "guard"] {
                    let component = Sha256Hex::of(tidegate_bundled_plugins::find(plugin).unwrap().bytes);
                    // `headers` is in a file, not bundled.
                    let bundled = (plugin != "headers").then_some(&component);
                    assert_eq!(package.digest_of(plugin), bundled);
                    Plugin::packaged(&engine, &package, plugin, &component).unwrap();
                }
            }
            Err(error) => assert_ne!(target, this_machine, "{error}"),
        }
        let code = Compiler::new(target)
            .unwrap()
            .compile("mime", tidegate_bundled_plugins::find("mime").unwrap().bytes)
            .unwrap();
        let mime = format!("compiled/{}-{name}.cwasm", tidegate_bundled_plugins::find("mime").unwrap().sha256);
        assert!(zip.files[&mime] == code.code());
    }
}

/// Runs `package`, which must fail with a configuration error and write nothing; returns the error.
fn refused(directory: &TestDirectory, arguments: &[&str]) -> String {
    let (code, report) = directory.json(&[&["package"], arguments].concat());
    assert_eq!((code, &report["kind"]), (2, &Value::from("configuration")), "{report}");
    let zips: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".zip"))
        .collect();
    assert!(zips.is_empty(), "{zips:?}");
    report["error"].as_str().unwrap().to_owned()
}

#[test]
fn requires_a_bootstrap_for_the_target() {
    let directory = directory_with_plugin("own.wasm");
    let error = refused(&directory, &["--target", "arm64"]);
    assert!(error.contains("no bootstrap for aarch64") && error.contains("`make release`"), "{error}");
    assert!(error.contains("`--bootstrap`") && error.contains("`bootstrap-aarch64`"), "{error}");
    let error = refused(&directory, &["--bootstrap", "nowhere"]);
    assert!(error.contains("cannot read the bootstrap `nowhere`"), "{error}");
    let error = refused(&directory, &["--bootstrap", "aarch64"]);
    assert!(error.contains("for aarch64 and the package for x86_64"), "{error}");
    let error = refused(&directory, &["--bootstrap", "tidegate.toml"]);
    assert!(error.contains("not a Linux executable"), "{error}");
}

#[test]
fn refuses_what_the_function_would_refuse() {
    let directory = directory_with_plugin("own.wasm");
    std::fs::write(directory.path().join("own.wasm"), tidegate_bundled_plugins::find("mime").unwrap().bytes).unwrap();
    let error = refused(&directory, &["--bootstrap", "x86_64"]);
    assert!(error.contains("`own.wasm` has the SHA-256"), "{error}");
    let site = "[[site]]\nname = \"docs\"\ntarget = \"s3://docs-site/\"\n\n[[site.sync]]\nplugin = \"mime\"\nsettings = { no-such = 1 }\n";
    let error = refused(&TestDirectory::new(site), &["--bootstrap", "../x86_64"]);
    assert!(error.contains("cannot read the bootstrap `../x86_64`"), "{error}");
    std::fs::write(directory.path().join("tidegate.toml"), site).unwrap();
    let error = refused(&directory, &["--bootstrap", "x86_64"]);
    assert!(error.contains("invalid settings for plugin `mime`"), "{error}");
}

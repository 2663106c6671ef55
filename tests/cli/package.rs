//! `tidegate package` as people run it: what the zip holds, that it is always the same, and what is refused.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use serde_json::Value;
use tidegate_core::architecture::Architecture;
use tidegate_core::config::Sha256Hex;
use tidegate_core::identity::sha256;
use tidegate_host::{CodePackage, Compiler, Engine, Plugin};
use tidegate_tests::deployed::program;
use zip::{CompressionMethod, DateTime, ZipArchive};

use super::Place;

/// A place whose configuration uses a plugin by its path.
fn place(path: &str) -> Place {
    let component = tidegate_bundled_plugins::find("headers").unwrap().bytes;
    let site = |name: &str, plugin: &str| {
        format!("[[site]]\nname = \"{name}\"\ntarget = \"s3://{name}-site/\"\n\n[[site.sync]]\nplugin = {plugin}\n\n")
    };
    let own = format!("\"{path}\"\nsha256 = \"{}\"", sha256(component));
    let place = Place::new(&format!("{}{}", site("docs", "\"mime\""), site("blog", &own)));
    let file = place.0.path().join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, component).unwrap();
    std::fs::write(place.0.path().join("x86_64"), program(Architecture::X86_64)).unwrap();
    std::fs::write(place.0.path().join("aarch64"), program(Architecture::Aarch64)).unwrap();
    place
}

struct Zipped {
    names: Vec<String>,
    modes: Vec<u32>,
    files: BTreeMap<String, Vec<u8>>,
}

fn zipped(bytes: &[u8]) -> Zipped {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut zipped = Zipped { names: Vec::new(), modes: Vec::new(), files: BTreeMap::new() };
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        assert_eq!(file.compression(), CompressionMethod::Deflated);
        let name = file.name().unwrap().into_owned();
        assert_eq!(file.last_modified(), Some(DateTime::default()), "{name}");
        assert_eq!(file.extra_data().unwrap_or_default(), b"", "{name}");
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        zipped.names.push(name.clone());
        zipped.modes.push(file.unix_mode().unwrap() & 0o7777);
        zipped.files.insert(name, content);
    }
    zipped
}

#[test]
fn the_package_holds_all_that_a_function_needs_and_is_always_the_same() {
    let here = Architecture::of_this_machine().unwrap();
    // Only the code goes into the package, so a plugin may be anywhere.
    let path = "plugins/../own.wasm";
    let place = place(path);
    for target in Architecture::ALL {
        let name = target.as_str();
        let command = ["package", "--target", name, "--bootstrap", name, "--out"];
        let (code, told) = place.json(&[&command[..], &["first.zip"]].concat());
        assert_eq!(code, 0, "{told}");
        let first = std::fs::read(place.0.path().join("first.zip")).unwrap();
        assert_eq!(told["sha256"], Value::from(sha256(&first)));
        assert_eq!(
            (&told["bytes"], &told["path"], &told["target"]),
            (&Value::from(first.len()), &Value::from("first.zip"), &Value::from(name))
        );
        assert_eq!(place.json(&[&command[..], &["second.zip"]].concat()).0, 0);
        assert!(first == std::fs::read(place.0.path().join("second.zip")).unwrap(), "{name}");

        let zipped = zipped(&first);
        let listed: Vec<&str> =
            told["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
        assert_eq!(zipped.names, listed);
        let mut sorted = zipped.names.clone();
        sorted.sort();
        assert_eq!(zipped.names, sorted);
        let mut expected: Vec<String> = ["mime", "headers", "guard"]
            .map(|plugin| format!("compiled/{}-{name}.cwasm", tidegate_bundled_plugins::find(plugin).unwrap().sha256))
            .to_vec();
        expected.extend(["bootstrap", "compiled/index.json", "tidegate.toml"].map(str::to_owned));
        expected.sort();
        assert_eq!(zipped.names, expected);
        for (name, mode) in zipped.names.iter().zip(&zipped.modes) {
            assert_eq!(*mode, if name == "bootstrap" { 0o755 } else { 0o644 }, "{name}");
        }
        assert_eq!(zipped.files["bootstrap"], program(target));
        let configuration = std::fs::read(place.0.path().join("tidegate.toml")).unwrap();
        assert_eq!(zipped.files["tidegate.toml"], configuration);
        // What the command wrote is what a function takes.
        let unpacked = tempfile::tempdir().unwrap();
        for (name, bytes) in
            zipped.files.iter().filter_map(|(name, bytes)| Some((name.strip_prefix("compiled/")?, bytes)))
        {
            std::fs::write(unpacked.path().join(name), bytes).unwrap();
        }
        match CodePackage::open(unpacked.path()) {
            Ok(package) => {
                assert_eq!(target, here);
                let engine = Engine::new().unwrap();
                for plugin in ["mime", "headers", "guard"] {
                    let component = Sha256Hex::of(tidegate_bundled_plugins::find(plugin).unwrap().bytes);
                    // `headers` is another one by its name.
                    let bundled = (plugin != "headers").then_some(&component);
                    assert_eq!(package.bundled(plugin), bundled);
                    Plugin::packaged(&engine, &package, plugin, &component).unwrap();
                }
            }
            Err(refused) => assert_ne!(target, here, "{refused}"),
        }
        let code = Compiler::new(target)
            .unwrap()
            .compile("mime", tidegate_bundled_plugins::find("mime").unwrap().bytes)
            .unwrap();
        let mime = format!("compiled/{}-{name}.cwasm", tidegate_bundled_plugins::find("mime").unwrap().sha256);
        assert!(zipped.files[&mime] == code.code());
    }
}

/// Runs `package`, which must fail as wrong usage and leave nothing; what it said.
fn refused(place: &Place, arguments: &[&str]) -> String {
    let (code, told) = place.json(&[&["package"], arguments].concat());
    assert_eq!((code, &told["fault"]), (2, &Value::from("configuration")), "{told}");
    let left: Vec<String> = std::fs::read_dir(place.0.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".zip"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    told["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_bootstrap_must_be_there_and_for_the_target() {
    let place = place("own.wasm");
    let words = refused(&place, &["--target", "arm64"]);
    assert!(words.contains("no bootstrap for aarch64") && words.contains("`make release`"), "{words}");
    assert!(words.contains("`--bootstrap`") && words.contains("`bootstrap-aarch64`"), "{words}");
    let words = refused(&place, &["--bootstrap", "nowhere"]);
    assert!(words.contains("`nowhere` cannot be read"), "{words}");
    let words = refused(&place, &["--bootstrap", "aarch64"]);
    assert!(words.contains("for aarch64 and the package for x86_64"), "{words}");
    let words = refused(&place, &["--bootstrap", "tidegate.toml"]);
    assert!(words.contains("no Linux program"), "{words}");
}

#[test]
fn what_a_function_would_refuse_is_refused_when_it_is_packaged() {
    let place = place("own.wasm");
    std::fs::write(place.0.path().join("own.wasm"), tidegate_bundled_plugins::find("mime").unwrap().bytes).unwrap();
    let words = refused(&place, &["--bootstrap", "x86_64"]);
    assert!(words.contains("`own.wasm` has the SHA-256"), "{words}");
    let site = "[[site]]\nname = \"docs\"\ntarget = \"s3://docs-site/\"\n\n[[site.sync]]\nplugin = \"mime\"\nsettings = { no-such = 1 }\n";
    let words = refused(&Place::new(site), &["--bootstrap", "../x86_64"]);
    assert!(words.contains("`../x86_64` cannot be read"), "{words}");
    std::fs::write(place.0.path().join("tidegate.toml"), site).unwrap();
    let words = refused(&place, &["--bootstrap", "x86_64"]);
    assert!(words.contains("invalid settings for plugin `mime`"), "{words}");
}

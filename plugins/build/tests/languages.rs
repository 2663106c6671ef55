//! Projects in other languages: they build as they are created. `tests/cli/languages.rs` runs what they build.
#![cfg(feature = "languages")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::path::Path;

use tidegate_plugin_build::{
    EmbedError, Language, LanguageError, ProjectKind, build_project, embed_file, embed_script, new_project,
};

fn create(directory: &Path, language: Language, kind: ProjectKind) {
    for file in new_project("no-drafts", language, kind).unwrap() {
        let path = directory.join(file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.content).unwrap();
    }
}

#[test]
fn c_builds_and_its_builds_are_equal() {
    for kind in [ProjectKind::Sync, ProjectKind::Policy] {
        let directory = tempfile::tempdir().unwrap();
        let project = directory.path().join("no-drafts");
        create(&project, Language::C, kind);
        let one = build_project(&project, |_| None).unwrap();
        assert_eq!(one[0].library, "no-drafts");
        assert!(one[0].component.len() < 30_000, "{} bytes", one[0].component.len());
        let other = directory.path().join("other/no-drafts");
        create(&other, Language::C, kind);
        assert_eq!(build_project(&other, |_| None).unwrap(), one);
    }
}

#[test]
fn mistakes_of_a_project_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let build = |directory: &Path| build_project(directory, |_| None).unwrap_err();
    assert!(matches!(build(directory.path()), LanguageError::NoProject(_)));
    std::fs::write(directory.path().join("plugin.js"), "each(() => {});").unwrap();
    assert!(matches!(build(directory.path()), LanguageError::Kind(_)));
    std::fs::write(directory.path().join("plugin-kind"), "policy").unwrap();
    assert!(matches!(build(directory.path()), LanguageError::NoEngine));
    for name in ["", "No", "a_b", "../x", "9", "a b"] {
        let error = new_project(name, Language::C, ProjectKind::Sync).unwrap_err();
        assert!(matches!(error, LanguageError::Name(_)), "{name}");
    }
}

#[test]
fn errors_of_a_compiler_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    create(directory.path(), Language::C, ProjectKind::Sync);
    std::fs::write(directory.path().join("plugin.c"), "int x = ;").unwrap();
    let error = build_project(directory.path(), |_| None).unwrap_err().to_string();
    assert!(error.contains("plugin.c:1:9: error: expected expression"), "{error}");
}

#[test]
fn only_the_engine_takes_code() {
    let error = embed_script(b"\0asm\x0d\0\x01\0", "plugin.js", "").unwrap_err();
    assert!(error.to_string().contains("is not the engine"), "{error}");
    assert!(embed_script(b"\0asm", "a\nb", "").unwrap_err().to_string().contains("line break"));
    assert!(embed_script(b"\0asm\x0d\0\x01\0\x01\x7f", "plugin.js", "").is_err());
    let error = embed_file(b"\0asm\x0d\0\x01\0", Path::new("rules.js"), vec![0xff]).unwrap_err();
    assert!(matches!(error, EmbedError::NotText), "{error}");
}

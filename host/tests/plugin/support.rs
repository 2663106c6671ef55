//! Helpers of the plugin tests: plugins built from `tests/hostile-plugins`, plugins in WebAssembly text, a small
//! artifact.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tidegate_core::artifact::{Artifact, ArtifactItem, ArtifactNames, Fingerprint};
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::declared::DeclaredHeaders;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::identity::PackedIdentity;
use tidegate_core::key::Key;
use tidegate_core::plan_review::{Judgement, PlanReview, ReviewedChange, ReviewedKind};
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::run_facts::RunFacts;
use tidegate_host::sync::{Trace, TransformedArtifact, transform};
use tidegate_host::{CodeCache, ConfiguredPlugin, Engine, Limits, Plugin, SettingsError, policy};
use tidegate_plugin_build::PluginBuild;

/// Components of `tests/hostile-plugins`, by library name.
pub(crate) static GUESTS: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // The target directory of the bundled plugins, because they share dependencies.
    let target = temporary().join("../plugins");
    let packages = &["guest-policy", "guest-sync"];
    let plugins = PluginBuild { manifest_dir: &root, target_dir: &target, packages, profile: "plugin" };
    tidegate_plugin_build::build(plugins).unwrap().into_iter().map(|built| (built.library, built.component)).collect()
});

fn temporary() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Limits that a hostile plugin reaches soon: 300 ms.
pub(crate) fn short() -> Limits {
    Limits { time: Duration::from_millis(300), time_per_object: Duration::ZERO, ..Limits::default() }
}

/// An engine with the default limits.
pub(crate) fn engine() -> Engine {
    Engine::new().unwrap()
}

/// Loads a component with a cache that all tests share.
pub(crate) fn load(engine: &Engine, name: &str, bytes: &[u8]) -> Plugin {
    Plugin::load(engine, Some(&CodeCache::new(&temporary().join("compiled"))), name, bytes).unwrap()
}

/// The smallest settings of a bundled plugin: a script has no default.
pub(crate) fn default_settings(plugin: &str) -> Value {
    if plugin.starts_with("script") { serde_json::json!({ "code": "each(() => {});" }) } else { serde_json::json!({}) }
}

/// The hostile sync plugin.
pub(crate) fn sync_guest(engine: &Engine) -> Plugin {
    load(engine, "guest", &GUESTS["guest_sync"])
}

/// The hostile policy plugin.
pub(crate) fn policy_guest(engine: &Engine) -> Plugin {
    load(engine, "judge", &GUESTS["guest_policy"])
}

/// A plugin configured to perform an act, such as `loop@decide`.
pub(crate) fn configure(plugin: &Plugin, act: &str) -> ConfiguredPlugin {
    plugin.validate(&Value::from(act)).unwrap()
}

/// Bytes by key.
pub(crate) struct Files(pub(crate) BTreeMap<String, Vec<u8>>);

impl Files {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(key, body)| ((*key).to_owned(), body.as_bytes().to_vec())).collect())
    }

    pub(crate) fn artifact(&self) -> Artifact {
        let item = |(key, body): (&String, &Vec<u8>)| ArtifactItem {
            key: Key::new(key).unwrap(),
            size: body.len() as u64,
            identity: PackedIdentity::default(),
            declared: DeclaredHeaders::default(),
        };
        Artifact::new(self.0.iter().map(item).collect(), Fingerprint("test".into()), ArtifactNames::Bucket).unwrap()
    }
}

impl ContentReader for Files {
    fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| self.range(key, 0, length, deadline)).collect()
    }

    fn range(&self, key: &Key, offset: u64, length: u32, _: Instant) -> Result<Vec<u8>, ReadError> {
        let body = self.0.get(key.as_str()).ok_or_else(|| ReadError::NotFound(key.clone()))?;
        Ok(body.iter().skip(usize::try_from(offset).unwrap()).take(length as usize).copied().collect())
    }
}

/// `b.txt` and `index.html`.
pub(crate) fn site() -> Files {
    Files::new(&[("b.txt", "bytes"), ("index.html", "<html></html>")])
}

pub(crate) fn facts() -> RunFacts {
    RunFacts {
        site: "docs".to_owned(),
        release: "r1".to_owned(),
        instant: 1_700_000_000_000,
        attributes: BTreeMap::from([("trigger".to_owned(), "cli".to_owned())]),
    }
}

/// Runs one sync plugin over [`site`].
pub(crate) fn run(configured: &ConfiguredPlugin) -> Result<TransformedArtifact, PluginFailure> {
    let files = site();
    transform(std::slice::from_ref(configured), files.artifact(), &facts(), &files, Trace::Off)
}

/// Runs one policy over a plan that creates and deletes one object.
pub(crate) fn judge(configured: &ConfiguredPlugin) -> Judgement {
    let files = site();
    let source = Key::new("index.html").unwrap();
    let change = |key, kind, source| ReviewedChange {
        key,
        kind,
        size: 13,
        redirect: None,
        headers: None,
        reason: "new",
        source,
    };
    let review = PlanReview::new(
        vec![change("old.html", ReviewedKind::Delete, None), change("index.html", ReviewedKind::Create, Some(&source))],
        vec![("create".to_owned(), 1), ("delete".to_owned(), 1)],
    );
    let mut judgements = policy::review(std::slice::from_ref(configured), &review, &facts(), &files);
    assert_eq!(judgements.len(), 1);
    judgements.pop().unwrap()
}

/// Checks that a failure is an error of the plugin in this call, and that its message is safe to print.
pub(crate) fn check_failure(failure: &PluginFailure, call: &str) {
    assert_eq!(failure.kind(), ErrorKind::Plugin, "{failure}");
    assert_eq!(failure.call(), call, "{failure}");
    let message = failure.to_string();
    assert!(message.contains(failure.plugin()) && message.contains(call), "{message}");
    assert!(!message.chars().any(char::is_control), "{message:?}");
    assert!(message.len() < 8_000, "{} bytes", message.len());
}

/// The failure of a validation.
pub(crate) fn validation_failure(result: Result<ConfiguredPlugin, SettingsError>) -> PluginFailure {
    match result {
        Err(SettingsError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

/// The failure of a sync plugin. Afterwards, the same engine still runs a good one.
pub(crate) fn failure_of(engine: &Engine, plugin: &Plugin, act: &str, call: &str) -> PluginFailure {
    let failure = match plugin.validate(&Value::from(act)) {
        Ok(configured) => run(&configured).unwrap_err(),
        failed => validation_failure(failed),
    };
    check_failure(&failure, call);
    run(&configure(&sync_guest(engine), "good")).unwrap();
    failure
}

pub(crate) fn crafted_failure(engine: &Engine, guest: Crafted, call: &str) -> PluginFailure {
    failure_of(engine, &load(engine, "crafted", &guest.component()), "x", call)
}

/// A sync plugin in WebAssembly text. By default it accepts any settings and decides nothing.
#[derive(Clone, Copy)]
pub(crate) struct Crafted {
    /// Fields of the module.
    pub(crate) fields: &'static str,
    /// The start of each function.
    pub(crate) validate: &'static str,
    pub(crate) begin: &'static str,
    pub(crate) decide: &'static str,
    pub(crate) finish: &'static str,
    pub(crate) realloc: &'static str,
    /// The body of the function that frees the answer of `decide`.
    pub(crate) after_decide: &'static str,
}

pub(crate) const CRAFTED: Crafted =
    Crafted { fields: "", validate: "", begin: "", decide: "", finish: "", realloc: "", after_decide: "" };

/// An endless loop.
pub(crate) const LOOP: &str = "(loop $for_ever (br $for_ever))";

impl Crafted {
    pub(crate) fn component(self) -> Vec<u8> {
        let Self { fields, validate, begin, decide, finish, realloc, after_decide } = self;
        let package = |interface: &str, function: &str| format!("tidegate:plugin/{interface}@0.1.0#{function}");
        let (on_validate, on_begin) = (package("settings", "validate"), package("sync", "begin"));
        let (on_decide, on_finish) = (package("sync", "decide"), package("sync", "finish"));
        let text = format!(
            r#"(module
                (import "tidegate:plugin/log@0.1.0" "log" (func $log (param i32 i32 i32)))
                (memory (export "memory") 4)
                (global $next (mut i32) (i32.const 65536))
                {fields}
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    {realloc}
                    (global.get $next)
                    (global.set $next (i32.and
                        (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 15)) (i32.const -16))))
                (func (export "{on_validate}") (param i32 i32) (result i32)
                    {validate}
                    (i32.store (i32.const 20) (local.get 0))
                    (i32.store (i32.const 24) (local.get 1))
                    (i32.const 16))
                (func (export "{on_begin}") (param i32 i32 i32 i32 i64 i32 i32 i64 i32 i32) (result i32)
                    {begin}
                    (i32.const 1024))
                (func (export "{on_decide}") (param i32 i32) (result i32)
                    {decide}
                    (i32.const 1024))
                (func (export "cabi_post_{on_decide}") (param i32)
                    {after_decide})
                (func (export "{on_finish}") (result i32)
                    {finish}
                    (i32.const 1024)))"#
        );
        component(&text)
    }
}

/// Makes a component of a core module in text that has the canonical names of `world sync-plugin`.
pub(crate) fn component(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit/plugin.wit");
    let package = resolve.push_file(contract).unwrap();
    let world = resolve.select_world(&[package], Some("sync-plugin")).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8).unwrap();
    wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Appends a core module or component in text to a component, with instances of it.
pub(crate) fn with_instances(component: Vec<u8>, text: &str, instances: usize) -> Vec<u8> {
    with_binary_instances(component, &wat::parse_str(text).unwrap(), instances)
}

/// As [`with_instances`], with a core module or component in the binary format.
pub(crate) fn with_binary_instances(mut component: Vec<u8>, binary: &[u8], instances: usize) -> Vec<u8> {
    let is_component = wasmparser::Parser::is_component(binary);
    let index = top_level_definitions(&component, is_component);
    let section = |id: u8, body: &[u8]| {
        let mut section = vec![id];
        leb(&mut section, body.len());
        section.extend_from_slice(body);
        section
    };
    let (definition, instantiation) = if is_component { (4, 5) } else { (1, 2) };
    component.extend(section(definition, binary));
    let mut body = Vec::new();
    leb(&mut body, instances);
    for _ in 0..instances {
        body.push(0);
        leb(&mut body, index);
        body.push(0);
    }
    component.extend(section(instantiation, &body));
    component
}

/// The number of components or core modules at the outermost level.
fn top_level_definitions(component: &[u8], components: bool) -> usize {
    let mut depth = 0;
    let mut found = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            wasmparser::Payload::Version { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            wasmparser::Payload::ModuleSection { .. } if depth == 1 && !components => found += 1,
            wasmparser::Payload::ComponentSection { .. } if depth == 1 && components => found += 1,
            _ => {}
        }
    }
    found
}

fn leb(to: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            return to.push(low);
        }
        to.push(low | 0x80);
    }
}

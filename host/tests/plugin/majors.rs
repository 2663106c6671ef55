//! The next major version of the contract beside today's: the names of interfaces have the version, so one linker serves
//! components of both. A host that moves to a new contract keeps the plugins of the old one.

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, Store};

use crate::support::CRAFTED;

/// Today's contract.
mod today {
    wasmtime::component::bindgen!({ path: "wit", world: "sync-plugin" });
}

/// A contract that differs from today's in ways that are not compatible: in parameters, and in a result.
mod next {
    wasmtime::component::bindgen!({
        inline: r"
            package tidegate:plugin@1.0.0;
            interface log {
                log: func(message: string);
            }
            interface settings {
                validate: func(settings: string) -> string;
            }
            world next-plugin {
                import log;
                export settings;
            }
        ",
    });
}

/// The same world, for the component.
const NEXT: &str = "package tidegate:plugin@1.0.0;
    interface log { log: func(message: string); }
    interface settings { validate: func(settings: string) -> string; }
    world next-plugin { import log; export settings; }";

/// Logs its settings, and returns them.
const PLUGIN: &str = r#"(module
    (import "tidegate:plugin/log@1.0.0" "log" (func $log (param i32 i32)))
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "tidegate:plugin/settings@1.0.0#validate") (param i32 i32) (result i32)
        (call $log (local.get 0) (local.get 1))
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        (i32.const 16)))"#;

fn next_component() -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("next.wit", NEXT).unwrap();
    let world = resolve.select_world(&[package], Some("next-plugin")).unwrap();
    let mut module = wat::parse_str(PLUGIN).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8).unwrap();
    wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// What components of either version logged.
#[derive(Default)]
struct Logged(Vec<String>);

impl today::tidegate::plugin::log::Host for Logged {
    fn log(&mut self, level: today::tidegate::plugin::log::Level, message: String) {
        self.0.push(format!("today, {level:?}: {message}"));
    }
}

impl next::tidegate::plugin1_0_0::log::Host for Logged {
    fn log(&mut self, message: String) {
        self.0.push(format!("next: {message}"));
    }
}

#[test]
fn one_linker_serves_two_major_versions_of_the_contract() {
    let engine = Engine::new(&Config::new()).unwrap();
    let mut linker: Linker<Logged> = Linker::new(&engine);
    today::tidegate::plugin::log::add_to_linker::<_, HasSelf<Logged>>(&mut linker, |state| state).unwrap();
    next::NextPlugin::add_to_linker::<_, HasSelf<Logged>>(&mut linker, |state| state).unwrap();
    let mut store = Store::new(&engine, Logged::default());

    let mut logs = CRAFTED;
    logs.validate = "(call $log (i32.const 2) (local.get 0) (local.get 1))";
    let old = Component::new(&engine, logs.component()).unwrap();
    let old = today::SyncPlugin::instantiate(&mut store, &old, &linker).unwrap();
    let new = Component::new(&engine, next_component()).unwrap();
    let new = next::NextPlugin::instantiate(&mut store, &new, &linker).unwrap();

    let answer = new.tidegate_plugin1_0_0_settings().call_validate(&mut store, "{\"a\":1}").unwrap();
    assert_eq!(answer, "{\"a\":1}");
    let answer = old.tidegate_plugin_settings().call_validate(&mut store, "{\"b\":2}").unwrap();
    assert_eq!(answer.unwrap(), "{\"b\":2}");
    assert_eq!(store.data().0, ["next: {\"a\":1}", "today, Level::Info: {\"b\":2}"]);
}

//! The contract of `wit/plugin.wit` as generated Rust types and traits.
//!
//! Both worlds of the contract export `settings`, and a crate can define that export only once. So each export is
//! generated separately, and [`crate::export_sync`] and [`crate::export_policy`] combine them. Imports are generated
//! once, so that `Run`, `Finding` and `Failure` are the same types for both kinds of plugins.

/// The imports of plugins.
pub mod imports {
    wit_bindgen::generate!({
        path: "wit",
        inline: r"
            package tidegate:sdk;
            world imports {
                import tidegate:plugin/types@0.1.0;
                import tidegate:plugin/log@0.1.0;
                import tidegate:plugin/content@0.1.0;
                import tidegate:plugin/edge@0.1.0;
            }
        ",
        world: "tidegate:sdk/imports",
        generate_all,
        additional_derives: [PartialEq, Eq],
    });
}

/// The export of both kinds of plugins.
pub mod settings {
    wit_bindgen::generate!({
        path: "wit",
        inline: r"
            package tidegate:sdk;
            world settings {
                export tidegate:plugin/settings@0.1.0;
            }
        ",
        world: "tidegate:sdk/settings",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_settings",
        default_bindings_module: "tidegate_plugin::bindings::settings",
        additional_derives: [PartialEq, Eq],
    });
}

/// The export of a sync plugin.
pub mod sync {
    wit_bindgen::generate!({
        path: "wit",
        inline: r"
            package tidegate:sdk;
            world sync {
                export tidegate:plugin/sync@0.1.0;
            }
        ",
        world: "tidegate:sdk/sync",
        with: { "tidegate:plugin/types@0.1.0": crate::bindings::imports::tidegate::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_sync",
        default_bindings_module: "tidegate_plugin::bindings::sync",
        additional_derives: [PartialEq, Eq],
    });
}

/// The export of a policy plugin.
pub mod policy {
    wit_bindgen::generate!({
        path: "wit",
        inline: r"
            package tidegate:sdk;
            world policy {
                export tidegate:plugin/policy@0.1.0;
            }
        ",
        world: "tidegate:sdk/policy",
        with: { "tidegate:plugin/types@0.1.0": crate::bindings::imports::tidegate::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_policy",
        default_bindings_module: "tidegate_plugin::bindings::policy",
        additional_derives: [PartialEq, Eq],
    });
}

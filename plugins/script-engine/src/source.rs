//! The code that `tidegate plugin build` puts into the component of a plugin in JavaScript. Empty in the bundled plugin.

/// The name of the file, and its code; `None` in the bundled plugin, which has its code in the settings.
pub(crate) fn built_in() -> Option<(String, String)> {
    let text = read();
    let (file, code) = text.split_once('\n')?;
    Some((file.to_owned(), code.to_owned()))
}

#[cfg(target_family = "wasm")]
mod bindings {
    //! `tidegate-plugin-build` replaces this import by a function of the module, so a component does not have it.

    wit_bindgen::generate!({
        inline: r"
            package tidegate:script;
            interface source {
                /// A line with the file's name, and the code.
                read: func() -> string;
            }
            world built-in {
                import source;
            }
        ",
        world: "tidegate:script/built-in",
        generate_all,
    });
}

#[cfg(target_family = "wasm")]
fn read() -> String {
    bindings::tidegate::script::source::read()
}

#[cfg(not(target_family = "wasm"))]
fn read() -> String {
    String::new()
}

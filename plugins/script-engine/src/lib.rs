//! The JavaScript engine of the bundled plugin `script`, and of plugins in JavaScript: QuickJS with the functions that
//! `prelude.js` defines. `plugins/script` and `plugins/script-policy` export it, since a component is of one kind.
//!
//! | Module | Holds |
//! |---|---|
//! | `settings` | the code and its settings, and their check |
//! | `engine` | one script: QuickJS, its limits, and exceptions as messages |
//! | `native` | what the prelude calls in Rust |
//! | `rules` | the rules of `each`: which keys they are about, and the text that they need |
//! | `sync`, `policy` | the two kinds of plugins |
//! | `source` | the code that is built into a component |

mod engine;
mod native;
mod place;
mod policy;
mod rules;
mod settings;
mod source;
mod sync;

pub use policy::ScriptPolicy;
pub use settings::ScriptSettings;
pub use sync::ScriptSync;

//! The contract: bindings that are generated from it, and components with its types.

use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use super::ProjectKind;
use super::project::LanguageError;

/// The contract.
pub(super) const CONTRACT: &str = include_str!("../../wit/plugin.wit");

fn failed(error: impl std::fmt::Display) -> LanguageError {
    LanguageError::Bindings(format!("{error:#}"))
}

fn world(kind: ProjectKind) -> Result<(Resolve, WorldId), LanguageError> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", CONTRACT).map_err(failed)?;
    let world = resolve.select_world(&[package], Some(kind.world())).map_err(failed)?;
    Ok((resolve, world))
}

/// The bindings of a world: names and contents of files.
pub(super) fn bindings(
    mut generator: Box<dyn WorldGenerator>,
    kind: ProjectKind,
) -> Result<Vec<(String, Vec<u8>)>, LanguageError> {
    let (mut resolve, world) = world(kind)?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files).map_err(failed)?;
    Ok(files.iter().map(|(name, content)| (name.to_owned(), content.to_owned())).collect())
}

/// The component of a core module that has the types of the contract in a custom section.
pub(super) fn component(module: &[u8]) -> Result<Vec<u8>, LanguageError> {
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(module).and_then(ComponentEncoder::encode).map_err(failed)
}

/// The component of a core module without types.
pub(super) fn component_of(mut module: Vec<u8>, kind: ProjectKind) -> Result<Vec<u8>, LanguageError> {
    let (resolve, world) = world(kind)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(failed)?;
    component(&module)
}

//! Replaces imported functions of a core module by functions in the module.

use std::collections::BTreeMap;

use wasm_encoder::reencode::{Error as ReencodeError, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, Function, FunctionSection, GlobalSection, GlobalType,
    ImportSection, Module, SectionId, ValType,
};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

/// The interface of the contract with `log`, before its version.
const LOG_INTERFACE: &str = "tidegate:plugin/log@";

/// A module cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The bytes are not a valid module.
    #[error("it is not a valid core module: {0}")]
    Module(String),
    /// The module lacks something that the functions need.
    #[error("it does not export `{0}`; build it with wit-bindgen")]
    Export(&'static str),
    /// A function that cannot be replaced.
    #[error("it has {0}")]
    Unsupported(&'static str),
}

impl From<wasmparser::BinaryReaderError> for ReplaceError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Module(error.to_string())
    }
}

/// An imported function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImportedFunction {
    pub(crate) module: String,
    pub(crate) name: String,
    type_index: u32,
}

/// What a replacement can refer to, in the indexes of the new module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModuleIndexes {
    /// The function `cabi_realloc`.
    pub(crate) realloc: Option<u32>,
    /// The import `log` of the contract.
    pub(crate) log: Option<u32>,
    /// The segment with the data of the call.
    pub(crate) segment: u32,
    /// The first of the added globals.
    first_global: u32,
}

impl ModuleIndexes {
    /// The index of an added global.
    pub(crate) fn global(self, place: u32) -> u32 {
        self.first_global.saturating_add(place)
    }
}

/// What a module gets for its new functions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Additions<'a> {
    /// One more segment, which is passive.
    pub(crate) data: Option<&'a [u8]>,
    /// Mutable globals of the type `i64` with these values.
    pub(crate) globals: &'a [i64],
}

/// What a pass over the module finds.
#[derive(Default)]
struct FoundImports {
    imports: Vec<ImportedFunction>,
    defined: u32,
    realloc: Option<u32>,
    log: Option<u32>,
    /// Imported globals and those of the module.
    globals: u32,
    has_globals: bool,
    segments: u32,
    has_data_count: bool,
}

/// Replaces the imports for which `replacement` has a function.
pub(crate) fn replace_imports(
    module: &[u8],
    additions: Additions<'_>,
    mut replacement: impl FnMut(&ImportedFunction, ModuleIndexes) -> Result<Option<Function>, ReplaceError>,
) -> Result<Vec<u8>, ReplaceError> {
    let found = find(module)?;
    if !additions.globals.is_empty() && !found.has_globals {
        return Err(ReplaceError::Unsupported("no globals"));
    }
    // Which imports are replaced decides about the indexes, so ask for functions twice.
    let unknown =
        ModuleIndexes { realloc: found.realloc, log: found.log, segment: found.segments, first_global: found.globals };
    let mut replaced = BTreeMap::new();
    for (old, import) in (0_u32..).zip(&found.imports) {
        if replacement(import, unknown)?.is_some() {
            let next = u32::try_from(replaced.len()).unwrap_or(u32::MAX);
            replaced.insert(old, next);
        }
    }
    let mut encoder = Replacer {
        imports: found.imports.len(),
        defined: found.defined,
        replaced,
        functions: Vec::new(),
        additions,
        segments: found.segments,
        has_data_count: found.has_data_count,
    };
    let new = |old: Option<u32>| old.map(|old| encoder.new_index(old));
    let indexes = ModuleIndexes { realloc: new(found.realloc), log: new(found.log), ..unknown };
    for (old, import) in (0_u32..).zip(&found.imports) {
        if encoder.replaced.contains_key(&old)
            && let Some(function) = replacement(import, indexes)?
        {
            encoder.functions.push((import.type_index, function));
        }
    }
    let mut output = Module::new();
    encoder
        .parse_core_module(&mut output, Parser::new(0), module)
        .map_err(|error| ReplaceError::Module(error.to_string()))?;
    Ok(output.finish())
}

fn find(module: &[u8]) -> Result<FoundImports, ReplaceError> {
    let mut found = FoundImports::default();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(type_index) => {
                            let (module, name) = (import.module.to_owned(), import.name.to_owned());
                            if module.starts_with(LOG_INTERFACE) && name == "log" {
                                found.log = u32::try_from(found.imports.len()).ok();
                            }
                            found.imports.push(ImportedFunction { module, name, type_index });
                        }
                        TypeRef::Global(_) => found.globals = found.globals.saturating_add(1),
                        _ => {}
                    }
                }
            }
            Payload::FunctionSection(section) => found.defined = section.count(),
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.name == "cabi_realloc" && export.kind == ExternalKind::Func {
                        found.realloc = Some(export.index);
                    }
                }
            }
            Payload::GlobalSection(section) => {
                found.globals = found.globals.saturating_add(section.count());
                found.has_globals = true;
            }
            Payload::DataCountSection { .. } => found.has_data_count = true,
            Payload::DataSection(section) => found.segments = section.count(),
            Payload::Version { encoding: wasmparser::Encoding::Component, .. } => {
                return Err(ReplaceError::Unsupported("the form of a component; use the core module"));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Encodes the module again, with other indexes of functions.
struct Replacer<'a> {
    imports: usize,
    defined: u32,
    /// By the old index of each replaced import: its place among them.
    replaced: BTreeMap<u32, u32>,
    functions: Vec<(u32, Function)>,
    additions: Additions<'a>,
    segments: u32,
    has_data_count: bool,
}

impl Replacer<'_> {
    /// Imports come first, then the functions of the module, then the replacements.
    fn new_index(&self, old: u32) -> u32 {
        let before = self.replaced.range(..old).count();
        match self.replaced.get(&old) {
            Some(place) => {
                let kept = self.imports.saturating_sub(self.replaced.len());
                u32::try_from(kept).unwrap_or(u32::MAX).saturating_add(self.defined).saturating_add(*place)
            }
            None => old.saturating_sub(u32::try_from(before).unwrap_or(u32::MAX)),
        }
    }
}

type Encoded = Result<(), ReencodeError<std::convert::Infallible>>;

impl Reencode for Replacer<'_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, old: u32) -> Result<u32, ReencodeError<Self::Error>> {
        Ok(self.new_index(old))
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Encoded {
        let mut function = 0_u32;
        for import in section.into_imports() {
            let import = import?;
            if let TypeRef::Func(_) = import.ty {
                let old = function;
                function = function.saturating_add(1);
                if self.replaced.contains_key(&old) {
                    continue;
                }
            }
            utils::parse_import(self, imports, import)?;
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Encoded {
        utils::parse_function_section(self, functions, section)?;
        for (type_index, _) in &self.functions {
            functions.function(*type_index);
        }
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Encoded {
        utils::parse_global_section(self, globals, section)?;
        for value in self.additions.globals {
            let kind = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
            globals.global(kind, &ConstExpr::i64_const(*value));
        }
        Ok(())
    }

    fn parse_code_section(&mut self, code: &mut CodeSection, section: wasmparser::CodeSectionReader<'_>) -> Encoded {
        utils::parse_code_section(self, code, section)?;
        for (_, function) in &self.functions {
            code.function(function);
        }
        Ok(())
    }

    fn data_count(&mut self, count: u32) -> Result<u32, ReencodeError<Self::Error>> {
        Ok(count.saturating_add(u32::from(self.additions.data.is_some())))
    }

    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Encoded {
        // Code that refers to segments needs their count first.
        if before == Some(SectionId::Code) && self.additions.data.is_some() && !self.has_data_count {
            module.section(&DataCountSection { count: self.segments.saturating_add(1) });
        }
        Ok(())
    }

    fn parse_data_section(&mut self, data: &mut DataSection, section: wasmparser::DataSectionReader<'_>) -> Encoded {
        utils::parse_data_section(self, data, section)?;
        if let Some(segment) = self.additions.data {
            data.passive(segment.iter().copied());
        }
        Ok(())
    }
}

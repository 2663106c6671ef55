//! Puts code into the component of the plugin `script`: a plugin in JavaScript is the engine with the code.
//!
//! The engine's core module imports a function that returns the code. [`with_code_segment`] replaces it by one that reads
//! a data segment, which is empty in the bundled plugin. [`embed_script`] fills the segment.

use std::path::Path;

use wasm_encoder::{Component, DataSection, Function, Instruction, MemArg, Module, RawSection};
use wasmparser::{BinaryReader, DataKind, DataSectionReader};

use crate::replace_imports::{Additions, ReplaceError, replace_imports};

/// The import of `plugins/script-engine`.
const MODULE: &str = "tidegate:script/source";
const NAME: &str = "read";

/// The clock of the crate `rquickjs-sys`, in microseconds.
const CLOCK: (&str, &str) = ("env", "__rquickjs_host_now_us");

/// Begins the segment. Then come the length of the text in four bytes, least significant first, and the text.
const MAGIC: &[u8; 16] = b"tidegate script\n";
const TEXT_OFFSET: i32 = 20;

/// The sections of the binary format that hold a component's core modules, and a module's data.
const CORE_MODULE_SECTION: u8 = 1;
const DATA_SECTION: u8 = 11;
/// The first eight bytes of each binary: magic and version.
const PREAMBLE_BYTES: u8 = 8;

/// Limit of the code, in bytes. Source: `MAX_SETTINGS_BYTES` of the host, for code in settings.
pub const MAX_SCRIPT_BYTES: usize = 1 << 20;

/// Code cannot be put into a component.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The component is not the engine.
    #[error("the component is not the engine of the plugin `script`{0}")]
    Engine(String),
    /// The code is too long.
    #[error("the code has {0} bytes, and the limit is {MAX_SCRIPT_BYTES}; remove what the plugin does not use")]
    TooLong(usize),
    /// The code is not text.
    #[error("it is not UTF-8; save it as UTF-8")]
    NotText,
    /// The name has a line break.
    #[error("the file name has a line break; rename the file")]
    FileName,
}

impl From<wasmparser::BinaryReaderError> for EmbedError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Engine(format!(": {error}"))
    }
}

fn segment(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [MAGIC, &length.to_le_bytes()[..], text.as_bytes()].concat()
}

/// Replaces the imports of the engine's core module: its code by a function that reads an empty segment, and QuickJS's
/// clock by one that stands still. Other modules stay as they are.
///
/// # Errors
/// The module is damaged.
pub(crate) fn with_code_segment(module: &[u8]) -> Result<Vec<u8>, ReplaceError> {
    let mut is_engine = false;
    let empty = segment("");
    let replaced = replace_imports(module, Additions { data: Some(&empty), globals: &[] }, |import, indexes| {
        if (import.module.as_str(), import.name.as_str()) == CLOCK {
            let mut zero = Function::new([]);
            zero.instruction(&Instruction::F64Const(0.0_f64.into())).instruction(&Instruction::End);
            return Ok(Some(zero));
        }
        if import.module != MODULE || import.name != NAME {
            return Ok(None);
        }
        is_engine = true;
        let realloc = indexes.realloc.ok_or(ReplaceError::Export("cabi_realloc"))?;
        Ok(Some(read_segment(realloc, indexes.segment)))
    })?;
    Ok(if is_engine { replaced } else { module.to_owned() })
}

/// `read` in the form of the canonical ABI: its parameter is where pointer and length of the text go.
fn read_segment(realloc: u32, segment: u32) -> Function {
    let at = |offset| MemArg { offset, align: 2, memory_index: 0 };
    let (answer, length, text) = (0, 1, 2);
    let mut function = Function::new([(2, wasm_encoder::ValType::I32)]);
    for instruction in [
        // The length, from the segment to its place in the answer.
        Instruction::LocalGet(answer),
        Instruction::I32Const(4),
        Instruction::I32Add,
        Instruction::I32Const(TEXT_OFFSET - 4),
        Instruction::I32Const(4),
        Instruction::MemoryInit { mem: 0, data_index: segment },
        Instruction::LocalGet(answer),
        Instruction::I32Load(at(4)),
        Instruction::LocalSet(length),
        // Memory for the text.
        Instruction::I32Const(0),
        Instruction::I32Const(0),
        Instruction::I32Const(1),
        Instruction::LocalGet(length),
        Instruction::Call(realloc),
        Instruction::LocalSet(text),
        Instruction::LocalGet(text),
        Instruction::I32Const(TEXT_OFFSET),
        Instruction::LocalGet(length),
        Instruction::MemoryInit { mem: 0, data_index: segment },
        Instruction::LocalGet(answer),
        Instruction::LocalGet(text),
        Instruction::I32Store(at(0)),
        Instruction::End,
    ] {
        function.instruction(&instruction);
    }
    function
}

/// The component of a plugin in JavaScript: the component of the plugin `script`, with the code of a file in it. Equal
/// inputs give equal bytes.
///
/// # Errors
/// [`EmbedError`].
pub fn embed_script(engine: &[u8], file: &str, code: &str) -> Result<Vec<u8>, EmbedError> {
    if code.len() > MAX_SCRIPT_BYTES {
        return Err(EmbedError::TooLong(code.len()));
    }
    if file.is_empty() || file.contains(['\n', '\r']) {
        return Err(EmbedError::FileName);
    }
    let segment = segment(&format!("{file}\n{code}"));
    let mut component = Component::new();
    let mut embedded = false;
    for (id, content) in sections(engine)? {
        let module = if id == CORE_MODULE_SECTION && !embedded { with_segment(content, &segment)? } else { None };
        match module {
            Some(module) => {
                embedded = true;
                component.section(&RawSection { id, data: &module });
            }
            None => {
                component.section(&RawSection { id, data: content });
            }
        }
    }
    if embedded { Ok(component.finish()) } else { Err(EmbedError::Engine(String::new())) }
}

/// The component of a script in a file. `code` is its content, and its name without folders is in messages.
///
/// # Errors
/// [`EmbedError`].
pub fn embed_file(engine: &[u8], path: &Path, code: Vec<u8>) -> Result<Vec<u8>, EmbedError> {
    let code = String::from_utf8(code).map_err(|_| EmbedError::NotText)?;
    embed_script(engine, &path.file_name().unwrap_or_default().to_string_lossy(), &code)
}

/// The module with its segment of code replaced; `None` if it has no such segment.
fn with_segment(module: &[u8], segment: &[u8]) -> Result<Option<Vec<u8>>, EmbedError> {
    let mut output = Module::new();
    let mut embedded = false;
    for (id, content) in sections(module)? {
        if id != DATA_SECTION {
            output.section(&RawSection { id, data: content });
            continue;
        }
        let mut data = DataSection::new();
        for old in DataSectionReader::new(BinaryReader::new(content, 0))? {
            let old = old?;
            if matches!(old.kind, DataKind::Passive) && old.data.starts_with(MAGIC) {
                data.passive(segment.iter().copied());
                embedded = true;
            } else {
                let range = usize::try_from(old.range.start).ok().zip(usize::try_from(old.range.end).ok());
                data.raw(range.and_then(|(start, end)| content.get(start..end)).unwrap_or_default());
            }
        }
        output.section(&data);
    }
    Ok(embedded.then(|| output.finish()))
}

/// The sections of a module or component.
fn sections(binary: &[u8]) -> Result<Vec<(u8, &[u8])>, EmbedError> {
    let mut sections = Vec::new();
    let mut reader = BinaryReader::new(binary.get(PREAMBLE_BYTES.into()..).unwrap_or_default(), PREAMBLE_BYTES.into());
    while !reader.eof() {
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()?;
        sections.push((id, reader.read_bytes(length as usize)?));
    }
    Ok(sections)
}

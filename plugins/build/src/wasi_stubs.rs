//! Replaces the imports of WASI in a core module by functions in the module, for toolchains that insist on WASI.
//!
//! Nothing that a plugin must not have is behind them: the clock is the time of the run, randomness is the same in every
//! run, printed lines are log records, there are no files, and an exit is a trap.

use std::collections::BTreeMap;

use wasm_encoder::{BlockType, Function, Instruction, MemArg, ValType};

use crate::replace_imports::{Additions, ImportedFunction, ModuleIndexes, ReplaceError, replace_imports};

/// The functions of WASI.
const WASI: &str = "wasi_snapshot_preview1";
/// What a runtime in the module, such as the one of projects in Go, asks of the stubs.
const STUBS: &str = "tidegate:stubs";

/// A function of WASI that a plugin imported, and that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct StubbedImport {
    /// Its name, such as `clock_time_get`.
    pub function: String,
    /// What there is instead.
    pub effect: &'static str,
}

// The added globals, by their place.
/// Nanoseconds since 1970.
const CLOCK: u32 = 0;
const RANDOM: u32 = 1;
/// The buffer of the current line: its address, size and length.
const BUFFER: u32 = 2;
const CAPACITY: u32 = 3;
const USED: u32 = 4;
/// The log level of the current line.
const LEVEL: u32 = 5;

/// Levels of the contract: `info` for standard output, and the next one, `warn`, for standard error.
const INFO: i64 = 2;
const LEVEL_OF_DESCRIPTOR: i32 = 1;

/// Clocks before the first run stand at one second: some runtimes refuse a clock at zero.
const GLOBALS: [i64; 6] = [1_000_000_000, 0, 0, 0, 0, INFO];

// Error numbers of WASI.
const SUCCESS: i32 = 0;
const BAD_DESCRIPTOR: i32 = 8;
const NO_ENTRY: i32 = 44;
const NO_SYSTEM_CALL: i32 = 52;
const NOT_SUPPORTED: i32 = 58;

/// Replaces what a module imports of WASI, and reports it, sorted and each function once.
///
/// # Errors
/// The module is damaged, or has no globals and no functions that it could import.
pub fn stub_wasi(module: &[u8]) -> Result<(Vec<u8>, Vec<StubbedImport>), ReplaceError> {
    let mut effects = BTreeMap::new();
    let replaced = replace_imports(module, Additions { data: None, globals: &GLOBALS }, |import, indexes| {
        let ImportedFunction { module, name, .. } = import;
        Ok(match module.as_str() {
            WASI => {
                let (function, effect) = wasi(name, indexes);
                effects.insert(name.clone(), effect);
                Some(function)
            }
            STUBS => stub(name, indexes),
            _ => None,
        })
    })?;
    Ok((replaced, effects.into_iter().map(|(function, effect)| StubbedImport { function, effect }).collect()))
}

/// The replacement of a function of WASI, and its effect.
fn wasi(name: &str, indexes: ModuleIndexes) -> (Function, &'static str) {
    let global = |place| indexes.global(place);
    match name {
        "args_get" => (errno(SUCCESS), "there are no arguments"),
        "args_sizes_get" => (no_sizes(), "there are no arguments"),
        "environ_get" => (errno(SUCCESS), "there is no environment"),
        "environ_sizes_get" => (no_sizes(), "there is no environment"),
        "clock_time_get" => {
            let now = [
                Instruction::LocalGet(2),
                Instruction::GlobalGet(global(CLOCK)),
                Instruction::I64Store(at(0, 3)),
                Instruction::I32Const(SUCCESS),
            ];
            (function([], now), "the time of the run")
        }
        "clock_res_get" => {
            let resolution = [
                Instruction::LocalGet(1),
                Instruction::I64Const(1_000_000),
                Instruction::I64Store(at(0, 3)),
                Instruction::I32Const(SUCCESS),
            ];
            (function([], resolution), "the time of the run")
        }
        "random_get" => (function([ValType::I32], random_get(indexes)), "the same bytes in every run"),
        "fd_write" if indexes.log.is_some() => {
            (function([ValType::I32; 5], fd_write(indexes)), "each line becomes a log record")
        }
        "fd_write" => (function([ValType::I32; 5], fd_write(indexes)), "the text is dropped: there is no log"),
        "proc_exit" => {
            let exit = flush(indexes).into_iter().chain([Instruction::Unreachable]);
            (function([], exit), "a trap")
        }
        "sched_yield" => (errno(SUCCESS), "there are no other threads"),
        "poll_oneoff" => (function([], poll_oneoff(indexes)), "waits no time: the clock goes on instead"),
        name if name.starts_with("fd_") => (errno(BAD_DESCRIPTOR), "there are no files"),
        name if name.starts_with("path_") => (errno(NO_ENTRY), "there are no files"),
        name if name.starts_with("sock_") => (errno(NOT_SUPPORTED), "there is no network"),
        _ => (errno(NO_SYSTEM_CALL), "refused"),
    }
}

/// The replacement of what a runtime asks of the stubs.
fn stub(name: &str, indexes: ModuleIndexes) -> Option<Function> {
    let global = |place| indexes.global(place);
    Some(match name {
        "set-clock" => function([], [Instruction::LocalGet(0), Instruction::GlobalSet(global(CLOCK))]),
        "set-line-buffer" => function(
            [],
            [
                Instruction::LocalGet(0),
                Instruction::I64ExtendI32U,
                Instruction::GlobalSet(global(BUFFER)),
                Instruction::LocalGet(1),
                Instruction::I64ExtendI32U,
                Instruction::GlobalSet(global(CAPACITY)),
            ],
        ),
        "flush-line" => function([], flush(indexes)),
        _ => return None,
    })
}

fn at(offset: u64, align: u32) -> MemArg {
    MemArg { offset, align, memory_index: 0 }
}

fn function<'a>(
    locals: impl IntoIterator<Item = ValType, IntoIter: ExactSizeIterator>,
    body: impl IntoIterator<Item = Instruction<'a>>,
) -> Function {
    let mut function = Function::new_with_locals_types(locals);
    body.into_iter().chain([Instruction::End]).for_each(|instruction| {
        function.instruction(&instruction);
    });
    function
}

fn errno(number: i32) -> Function {
    function([], [Instruction::I32Const(number)])
}

/// No arguments and no variables: their number, and the length of their text.
fn no_sizes() -> Function {
    let zero = |pointer| [Instruction::LocalGet(pointer), Instruction::I32Const(0), Instruction::I32Store(at(0, 2))];
    function([], zero(0).into_iter().chain(zero(1)).chain([Instruction::I32Const(SUCCESS)]))
}

/// Repeats a body until a condition, which leaves an `i32`, holds.
fn until<'a>(
    condition: impl IntoIterator<Item = Instruction<'a>>,
    body: impl IntoIterator<Item = Instruction<'a>>,
) -> Vec<Instruction<'a>> {
    let mut instructions = vec![Instruction::Block(BlockType::Empty), Instruction::Loop(BlockType::Empty)];
    instructions.extend(condition);
    instructions.push(Instruction::BrIf(1));
    instructions.extend(body);
    instructions.extend([Instruction::Br(0), Instruction::End, Instruction::End]);
    instructions
}

/// Runs a body if the `i32` on the stack is not 0.
fn when<'a>(body: impl IntoIterator<Item = Instruction<'a>>) -> Vec<Instruction<'a>> {
    let mut instructions = vec![Instruction::If(BlockType::Empty)];
    instructions.extend(body);
    instructions.push(Instruction::End);
    instructions
}

/// Sends the current line to the log, unless it is empty.
fn flush(indexes: ModuleIndexes) -> Vec<Instruction<'static>> {
    let global = |place| Instruction::GlobalGet(indexes.global(place));
    let mut send = Vec::new();
    if let Some(log) = indexes.log {
        for place in [LEVEL, BUFFER, USED] {
            send.extend([global(place), Instruction::I32WrapI64]);
        }
        send.push(Instruction::Call(log));
    }
    send.extend([Instruction::I64Const(0), Instruction::GlobalSet(indexes.global(USED))]);
    [vec![global(USED), Instruction::I64Const(0), Instruction::I64Ne], when(send)].concat()
}

/// A linear congruential generator: its constants are Knuth's for 64 bits, and the top byte is used.
fn random_get(indexes: ModuleIndexes) -> Vec<Instruction<'static>> {
    let (pointer, length, end) = (0, 1, 2);
    let random = indexes.global(RANDOM);
    let set_end = [
        Instruction::LocalGet(pointer),
        Instruction::LocalGet(length),
        Instruction::I32Add,
        Instruction::LocalSet(end),
    ];
    let fill = until(
        [Instruction::LocalGet(pointer), Instruction::LocalGet(end), Instruction::I32GeU],
        [
            Instruction::GlobalGet(random),
            Instruction::I64Const(6_364_136_223_846_793_005),
            Instruction::I64Mul,
            Instruction::I64Const(1_442_695_040_888_963_407),
            Instruction::I64Add,
            Instruction::GlobalSet(random),
            Instruction::LocalGet(pointer),
            Instruction::GlobalGet(random),
            Instruction::I64Const(56),
            Instruction::I64ShrU,
            Instruction::I64Store8(at(0, 0)),
            Instruction::LocalGet(pointer),
            Instruction::I32Const(1),
            Instruction::I32Add,
            Instruction::LocalSet(pointer),
        ],
    );
    [set_end.into(), fill, vec![Instruction::I32Const(SUCCESS)]].concat()
}

/// Waits for a clock, as the first of the subscriptions. Its time is over at once: the clock goes on by it.
fn poll_oneoff(indexes: ModuleIndexes) -> Vec<Instruction<'static>> {
    let (subscriptions, events, events_length) = (0, 1, 3);
    // In a subscription: its number, its kind, the time in nanoseconds, and whether that is an instant.
    let (number, kind, time, is_instant) = (0, 8, 24, 40);
    let clock = indexes.global(CLOCK);
    let other_kind = [
        vec![Instruction::LocalGet(subscriptions), Instruction::I32Load8U(at(kind, 0))],
        when([Instruction::I32Const(NOT_SUPPORTED), Instruction::Return]),
    ];
    // An instant replaces the clock's; a duration is added to it.
    let go_on = vec![
        Instruction::LocalGet(subscriptions),
        Instruction::I64Load(at(time, 3)),
        Instruction::I64Const(0),
        Instruction::GlobalGet(clock),
        Instruction::LocalGet(subscriptions),
        Instruction::I32Load8U(at(is_instant, 0)),
        Instruction::Select,
        Instruction::I64Add,
        Instruction::GlobalSet(clock),
    ];
    // An event has the number of its subscription, and is otherwise zero.
    let report = vec![
        Instruction::LocalGet(events),
        Instruction::LocalGet(subscriptions),
        Instruction::I64Load(at(number, 3)),
        Instruction::I64Store(at(0, 3)),
        Instruction::LocalGet(events),
        Instruction::I64Const(0),
        Instruction::I64Store(at(8, 3)),
        Instruction::LocalGet(events_length),
        Instruction::I32Const(1),
        Instruction::I32Store(at(0, 2)),
        Instruction::I32Const(SUCCESS),
    ];
    [other_kind.concat(), go_on, report].concat()
}

/// Collects what is written to standard output and standard error, and sends it to the log line by line: runtimes write
/// lines in parts.
fn fd_write(indexes: ModuleIndexes) -> Vec<Instruction<'static>> {
    let (descriptor, vectors, count, written) = (0, 1, 2, 3);
    let (last, text, end, total, byte) = (4, 5, 6, 7, 8);
    let get = |place| Instruction::GlobalGet(indexes.global(place));
    let set = |place| Instruction::GlobalSet(indexes.global(place));
    let level = [
        Instruction::LocalGet(descriptor),
        Instruction::I32Const(LEVEL_OF_DESCRIPTOR),
        Instruction::I32Add,
        Instruction::I64ExtendI32U,
    ];
    let other_descriptor = [
        vec![
            Instruction::LocalGet(descriptor),
            Instruction::I32Const(1),
            Instruction::I32Sub,
            Instruction::I32Const(1),
            Instruction::I32GtU,
        ],
        when([Instruction::I32Const(BAD_DESCRIPTOR), Instruction::Return]),
    ];
    // A line of standard output does not go on with standard error.
    let change_level = [
        [level.to_vec(), vec![get(LEVEL), Instruction::I64Ne]].concat(),
        when([flush(indexes), level.to_vec(), vec![set(LEVEL)]].concat()),
    ];
    let append = when([
        get(BUFFER),
        get(USED),
        Instruction::I64Add,
        Instruction::I32WrapI64,
        Instruction::LocalGet(byte),
        Instruction::I32Store8(at(0, 0)),
        get(USED),
        Instruction::I64Const(1),
        Instruction::I64Add,
        set(USED),
    ]);
    let each_byte = [
        vec![
            Instruction::LocalGet(text),
            Instruction::I32Load8U(at(0, 0)),
            Instruction::LocalSet(byte),
            Instruction::LocalGet(text),
            Instruction::I32Const(1),
            Instruction::I32Add,
            Instruction::LocalSet(text),
            Instruction::LocalGet(byte),
            Instruction::I32Const(i32::from(b'\n')),
            Instruction::I32Eq,
        ],
        // Goes on with the next byte.
        when([flush(indexes), vec![Instruction::Br(1)]].concat()),
        vec![get(USED), get(CAPACITY), Instruction::I64GeU],
        when(flush(indexes)),
        vec![get(CAPACITY), Instruction::I64Const(0), Instruction::I64Ne],
        append,
    ];
    let each_vector = [
        vec![
            Instruction::LocalGet(vectors),
            Instruction::I32Load(at(0, 2)),
            Instruction::LocalTee(text),
            Instruction::LocalGet(vectors),
            Instruction::I32Load(at(4, 2)),
            Instruction::I32Add,
            Instruction::LocalSet(end),
            Instruction::LocalGet(total),
            Instruction::LocalGet(vectors),
            Instruction::I32Load(at(4, 2)),
            Instruction::I32Add,
            Instruction::LocalSet(total),
        ],
        until([Instruction::LocalGet(text), Instruction::LocalGet(end), Instruction::I32GeU], each_byte.concat()),
        vec![
            Instruction::LocalGet(vectors),
            Instruction::I32Const(8),
            Instruction::I32Add,
            Instruction::LocalSet(vectors),
        ],
    ];
    [
        other_descriptor.concat(),
        change_level.concat(),
        vec![
            Instruction::LocalGet(vectors),
            Instruction::LocalGet(count),
            Instruction::I32Const(8),
            Instruction::I32Mul,
            Instruction::I32Add,
            Instruction::LocalSet(last),
        ],
        until([Instruction::LocalGet(vectors), Instruction::LocalGet(last), Instruction::I32GeU], each_vector.concat()),
        vec![
            Instruction::LocalGet(written),
            Instruction::LocalGet(total),
            Instruction::I32Store(at(0, 2)),
            Instruction::I32Const(SUCCESS),
        ],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::{ReplaceError, stub_wasi};

    /// The functions of WASI preview 1, each with the types of its parameters. Source:
    /// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/witx/wasi_snapshot_preview1.witx
    const PREVIEW_1: [(&str, &str); 45] = [
        ("args_get", "i32 i32"),
        ("args_sizes_get", "i32 i32"),
        ("environ_get", "i32 i32"),
        ("environ_sizes_get", "i32 i32"),
        ("clock_res_get", "i32 i32"),
        ("clock_time_get", "i32 i64 i32"),
        ("fd_advise", "i32 i64 i64 i32"),
        ("fd_allocate", "i32 i64 i64"),
        ("fd_close", "i32"),
        ("fd_datasync", "i32"),
        ("fd_fdstat_get", "i32 i32"),
        ("fd_fdstat_set_flags", "i32 i32"),
        ("fd_fdstat_set_rights", "i32 i64 i64"),
        ("fd_filestat_get", "i32 i32"),
        ("fd_filestat_set_size", "i32 i64"),
        ("fd_filestat_set_times", "i32 i64 i64 i32"),
        ("fd_pread", "i32 i32 i32 i64 i32"),
        ("fd_prestat_get", "i32 i32"),
        ("fd_prestat_dir_name", "i32 i32 i32"),
        ("fd_pwrite", "i32 i32 i32 i64 i32"),
        ("fd_read", "i32 i32 i32 i32"),
        ("fd_readdir", "i32 i32 i32 i64 i32"),
        ("fd_renumber", "i32 i32"),
        ("fd_seek", "i32 i64 i32 i32"),
        ("fd_sync", "i32"),
        ("fd_tell", "i32 i32"),
        ("fd_write", "i32 i32 i32 i32"),
        ("path_create_directory", "i32 i32 i32"),
        ("path_filestat_get", "i32 i32 i32 i32 i32"),
        ("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32"),
        ("path_link", "i32 i32 i32 i32 i32 i32 i32"),
        ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
        ("path_readlink", "i32 i32 i32 i32 i32 i32"),
        ("path_remove_directory", "i32 i32 i32"),
        ("path_rename", "i32 i32 i32 i32 i32 i32"),
        ("path_symlink", "i32 i32 i32 i32 i32"),
        ("path_unlink_file", "i32 i32 i32"),
        ("poll_oneoff", "i32 i32 i32 i32"),
        ("proc_raise", "i32"),
        ("sched_yield", ""),
        ("random_get", "i32 i32"),
        ("sock_accept", "i32 i32 i32"),
        ("sock_recv", "i32 i32 i32 i32 i32 i32"),
        ("sock_send", "i32 i32 i32 i32 i32"),
        ("sock_shutdown", "i32 i32"),
    ];

    fn module(more: &str, globals: &str) -> Vec<u8> {
        let imports: String = PREVIEW_1
            .iter()
            .map(|(name, parameters)| {
                format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func (param {parameters}) (result i32)))")
            })
            .collect();
        let text = format!(
            "(module {imports} (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
               {more} (import \"other\" \"f\" (func $f)) (memory 1) {globals}
               (func (export \"g\") (call $f) (call $exit (i32.const 0))))"
        );
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn every_function_of_wasi_is_replaced_with_and_without_a_log() {
        let log = "(import \"tidegate:plugin/log@0.1.0\" \"log\" (func (param i32 i32 i32)))
                   (import \"tidegate:stubs\" \"set-clock\" (func (param i64)))
                   (import \"tidegate:stubs\" \"set-line-buffer\" (func (param i32 i32)))
                   (import \"tidegate:stubs\" \"flush-line\" (func))";
        for (more, kept) in [(log, 2), ("", 1)] {
            let (stubbed, stubs) = stub_wasi(&module(more, "(global i32 (i32.const 0))")).unwrap();
            wasmparser::validate(&stubbed).unwrap();
            assert_eq!(stubs.len(), PREVIEW_1.len() + 1);
            let imports = wasmparser::Parser::new(0).parse_all(&stubbed).find_map(|payload| match payload.unwrap() {
                wasmparser::Payload::ImportSection(section) => Some(section.count()),
                _ => None,
            });
            assert_eq!(imports, Some(kept));
        }
    }

    #[test]
    fn a_module_without_globals_is_refused() {
        let error = stub_wasi(&module("", "")).unwrap_err();
        assert!(matches!(error, ReplaceError::Unsupported(_)), "{error}");
    }
}

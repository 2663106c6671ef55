//! Compiles a component in a process of its own, with limits on memory and time. Only in builds that compile.
//!
//! Admission refuses what is known to be small in the file and large when compiled. The process bounds what is not
//! known: a compiler has superlinear passes.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use tidegate_core::architecture::Architecture;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};

use super::admission_error::AdmissionErrorKind;
use super::engine_configuration::configuration;
use super::limits::MAX_CODE_BYTES;

/// The first argument of the process.
const ARGUMENT: &str = "compile-plugin-component";
/// The second argument, for code of this machine.
const THIS_MACHINE: &str = "this-machine";
/// Begins the process's output, so that another program's output is not taken for code.
const MAGIC: &[u8] = b"tidegate code of a component\n";
/// The exit code with an error message as output.
const REFUSED: u8 = 10;
/// The exit code when the time is over.
const OUT_OF_TIME: i32 = 11;
/// Threads of the compiler: each needs memory.
const MAX_THREADS: usize = 4;

/// Starts this program again as a compiler.
///
/// The program must call [`serve`](Self::serve) first in its `main`.
#[derive(Debug, Clone)]
pub struct CompilerProcess {
    program: PathBuf,
}

/// What compiling one component may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CompileBudget {
    memory_bytes: u64,
    time: Duration,
}

impl CompileBudget {
    /// For a component of this size, in bytes. A JavaScript engine of 10 MiB was measured at 400 MiB, and at 130 s on a busy
    /// machine with two cores.
    fn new(size: usize) -> Self {
        let size = size as u64;
        Self {
            memory_bytes: (512 << 20) + size.saturating_mul(64),
            time: Duration::from_secs(60 + (size >> 20).saturating_mul(20)),
        }
    }

    /// The error of a component that needs more.
    fn exceeded(self) -> AdmissionErrorKind {
        AdmissionErrorKind::CompileBudget { mebibytes: self.memory_bytes >> 20, seconds: self.time.as_secs() }
    }
}

/// Machine code that the process wrote.
pub(super) struct ProcessCode(Vec<u8>);

impl ProcessCode {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl CompilerProcess {
    /// The program that runs.
    ///
    /// # Errors
    /// If the system does not report its path.
    pub fn new() -> io::Result<Self> {
        Ok(Self { program: std::env::current_exe()? })
    }

    /// Compiles a component if this process was started as a compiler; otherwise does nothing.
    #[must_use]
    pub fn serve() -> Option<ExitCode> {
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().as_deref() != Some(OsStr::new(ARGUMENT)) {
            return None;
        }
        let target = arguments.next().unwrap_or_default();
        let compile = || compile_input(&target.to_string_lossy(), io::stdin().lock(), io::stdout().lock());
        let refusal = match std::panic::catch_unwind(compile) {
            Ok(Ok(())) => return Some(ExitCode::SUCCESS),
            Ok(Err(error)) => format!("{error:#}"),
            // The compiler does not expect every component: it has panicked for components that validation accepts.
            Err(panic) => match panic.downcast::<String>() {
                Ok(message) => *message,
                Err(_) => "the compiler panicked".to_owned(),
            },
        };
        let _ = io::stdout().write_all(refusal.as_bytes());
        Some(ExitCode::from(REFUSED))
    }

    /// The code of a component, for a target or for this machine.
    pub(super) fn compile(
        &self,
        target: Option<Architecture>,
        bytes: &[u8],
    ) -> Result<ProcessCode, AdmissionErrorKind> {
        let started = |error: io::Error| AdmissionErrorKind::Compiler(format!("cannot start it: {error}"));
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let mut child = Command::new(&self.program)
            .arg(ARGUMENT)
            .arg(target.map_or(THIS_MACHINE, Architecture::triple))
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(started)?;
        let output = exchange(&mut child, bytes);
        let status = child.wait().map_err(started)?;
        let output = output.map_err(|error| AdmissionErrorKind::Compiler(error.to_string()))?;
        match (status.code(), output.strip_prefix(MAGIC)) {
            (Some(0), Some(code)) => Ok(ProcessCode(code.to_owned())),
            (Some(code), _) if code == i32::from(REFUSED) => {
                Err(AdmissionErrorKind::Invalid(sanitize(&String::from_utf8_lossy(&output), MESSAGE_BYTES)))
            }
            (Some(0), None) => Err(AdmissionErrorKind::Compiler("it is another program".to_owned())),
            // It was out of time, or a signal ended it: without memory, an allocation aborts.
            _ => Err(CompileBudget::new(bytes.len()).exceeded()),
        }
    }
}

/// Writes the component and reads the output. The process reads everything before it writes.
fn exchange(child: &mut Child, bytes: &[u8]) -> io::Result<Vec<u8>> {
    if let Some(mut input) = child.stdin.take() {
        match input.write_all(bytes) {
            // It ended early; its status says why.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    let mut output = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        pipe.take(MAX_CODE_BYTES.saturating_add(MAGIC.len() as u64)).read_to_end(&mut output)?;
    }
    Ok(output)
}

/// The process: limits itself, compiles, and writes the code.
fn compile_input(target: &str, mut input: impl Read, mut output: impl Write) -> wasmtime::Result<()> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let budget = CompileBudget::new(bytes.len());
    limit_memory(budget.memory_bytes);
    std::thread::Builder::new().spawn(move || end_after(budget.time))?;
    let mut configuration = configuration()?;
    if target != THIS_MACHINE {
        configuration.target(target)?;
    }
    let code = wasmtime::Engine::new(&configuration)?.precompile_component(&bytes)?;
    output.write_all(MAGIC)?;
    output.write_all(&code)?;
    output.flush()?;
    Ok(())
}

/// Ends this process after a time.
#[expect(clippy::exit, reason = "the compiler cannot be interrupted")]
fn end_after(time: Duration) {
    std::thread::sleep(time);
    std::process::exit(OUT_OF_TIME);
}

/// Limits the writable memory of this process. Only Linux counts memory from `mmap`, as allocators get it.
#[cfg(unix)]
fn limit_memory(bytes: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    // A limit that cannot be set is one that is lower already.
    let _ = setrlimit(Resource::Data, limit(bytes));
    let _ = setrlimit(Resource::Core, limit(0));
}

#[cfg(not(unix))]
fn limit_memory(_: u64) {}

//! Ctrl-C and SIGTERM: the first one cancels the run, which then releases its lease; the second one ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tidegate_core::text::count;
use tidegate_publish::CancellationToken;
use tidegate_publish::progress::{ProgressEvent, ProgressObserver};

use crate::error::{CliError, ExitStatus};

/// A token that the first signal cancels.
pub(crate) fn token() -> Result<CancellationToken, CliError> {
    let mut signals = Signals::new().map_err(|error| CliError::System(format!("cannot handle signals: {error}")))?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        signals.next().await;
        cancelled.cancel();
        signals.next().await;
        end();
    });
    Ok(token)
}

#[expect(clippy::exit, reason = "the user does not want to wait for requests in flight")]
fn end() -> ! {
    std::process::exit(ExitStatus::Interrupted as i32)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on other systems")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Counts operations, to say what an interrupted run has done.
pub(crate) struct OperationCount {
    inner: Arc<dyn ProgressObserver>,
    writing: AtomicBool,
    planned: AtomicU64,
    done: AtomicU64,
}

impl OperationCount {
    pub(crate) fn new(inner: Arc<dyn ProgressObserver>) -> Self {
        Self { inner, writing: AtomicBool::default(), planned: AtomicU64::default(), done: AtomicU64::default() }
    }

    /// What an interrupted run has done.
    pub(crate) fn interrupted(&self) -> CliError {
        CliError::Interrupted(if self.writing.load(Ordering::Relaxed) {
            let (done, planned) = (self.done.load(Ordering::Relaxed), self.planned.load(Ordering::Relaxed));
            let planned = count(planned, "operation");
            format!("interrupted after {done} of {planned}; run the same command again to finish")
        } else {
            "interrupted; nothing was changed".to_owned()
        })
    }
}

impl ProgressObserver for OperationCount {
    fn report(&self, event: ProgressEvent) {
        match event {
            ProgressEvent::Planned { operations, .. } => {
                self.planned.store(operations, Ordering::Relaxed);
                self.writing.store(true, Ordering::Relaxed);
            }
            ProgressEvent::Done { operations, .. } => {
                self.done.fetch_add(operations, Ordering::Relaxed);
            }
            _ => {}
        }
        self.inner.report(event);
    }
}

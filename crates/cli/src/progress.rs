//! Progress bars, on a terminal and without `--json` only. Waiting for another run is always reported.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidegate_core::text::count;
use tidegate_publish::progress::{LockWait, ProgressEvent, ProgressObserver, Stage};

/// Lines about waiting are this far apart without a terminal.
const WAIT_INTERVAL: Duration = Duration::from_secs(10);

/// One bar that follows a run through its stages.
pub(crate) struct TerminalProgress {
    bar: ProgressBar,
    /// Whether there is a terminal to draw on.
    is_drawn: bool,
    read: Mutex<ReadProgress>,
    /// When a line about waiting was printed.
    last_wait: Mutex<Option<Instant>>,
}

/// What was read of the source.
#[derive(Default)]
struct ReadProgress {
    objects: u64,
    bytes: u64,
}

impl TerminalProgress {
    pub(crate) fn new(hidden: bool) -> Self {
        let bar = ProgressBar::new_spinner();
        let is_drawn = !hidden && std::io::stderr().is_terminal();
        if !is_drawn {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, is_drawn, read: Mutex::default(), last_wait: Mutex::default() }
    }

    fn spinner(&self, message: impl Into<String>) {
        self.bar.set_style(style("{spinner} {msg}"));
        self.bar.set_message(message.into());
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn bar(&self, template: &str, length: u64) {
        self.bar.set_style(style(template));
        self.bar.set_length(length);
        self.bar.set_position(0);
    }

    /// Shows who publishes the site, with a count-down: on the bar, or in a line from time to time.
    fn waiting(&self, wait: &LockWait) {
        let release = &wait.release;
        let since = jiff::Timestamp::now().checked_sub(wait.held).map(|time| time.strftime("%H:%M:%S UTC").to_string());
        let (expires, timeout) = (wait.expires.as_secs(), wait.timeout.as_secs());
        let message = format!(
            "waiting for the publish of `{release}`, which started at {}; taking over in {expires} s unless it is still running, giving up in {timeout} s",
            since.unwrap_or_default()
        );
        if self.is_drawn {
            return self.spinner(message);
        }
        let mut last = self.last_wait.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= WAIT_INTERVAL) {
            *last = Some(Instant::now());
            errln!("{message}");
        }
    }

    fn add_read(&self, objects: u64, bytes: u64) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.objects += objects;
        read.bytes += bytes;
        let (objects, size) = (count(read.objects, "object"), HumanBytes(read.bytes));
        self.bar.set_message(format!("reading the source: {objects}, {size}"));
    }
}

/// A spinner, on a terminal and unless it is hidden.
pub(crate) fn spinner(hidden: bool) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if hidden || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    } else {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    bar
}

/// The style of a template.
pub(crate) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl ProgressObserver for TerminalProgress {
    fn report(&self, event: ProgressEvent) {
        match event {
            ProgressEvent::Waiting(wait) => self.waiting(&wait),
            ProgressEvent::Stage(Stage::Open) => {
                *self.read.lock().unwrap_or_else(PoisonError::into_inner) = ReadProgress::default();
                self.spinner("reading the source");
            }
            ProgressEvent::Stage(Stage::Transform) => self.spinner("running sync plugins"),
            ProgressEvent::Stage(Stage::Inspect) => self.spinner("listing the site"),
            ProgressEvent::Stage(Stage::Review) => self.spinner("running policies"),
            ProgressEvent::Stage(Stage::Write) => self.spinner("requesting credentials"),
            ProgressEvent::Stage(Stage::Invalidate) => self.spinner("invalidating the CDN"),
            ProgressEvent::Read { objects, bytes } => self.add_read(objects, bytes),
            ProgressEvent::Listed(objects) => {
                self.bar.set_message(format!("listing the site: {}", count(objects, "object")));
            }
            ProgressEvent::Questions(requests) => self.bar("{spinner} comparing {bar:30} {pos}/{len}", requests),
            ProgressEvent::Answered => self.bar.inc(1),
            ProgressEvent::Planned { operations, bytes: _ } => {
                self.bar("{spinner} publishing {bar:30} {pos}/{len} {per_sec} {eta}", operations);
            }
            ProgressEvent::Done { operations, .. } => self.bar.inc(operations),
        }
    }
}

impl Drop for TerminalProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

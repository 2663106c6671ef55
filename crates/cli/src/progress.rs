//! Progress on a terminal.
//!
//! Owns the bars. Silent where standard error is no terminal, and with `--json`.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidegate_publish::progress::{ProgressEvent, ProgressObserver, Stage};

/// One bar that follows a run through its stages.
pub(crate) struct TerminalProgress {
    bar: ProgressBar,
    counts: Mutex<ProgressCounts>,
}

#[derive(Default)]
struct ProgressCounts {
    objects: u64,
    bytes: u64,
}

impl TerminalProgress {
    pub(crate) fn new(silent: bool) -> Self {
        let bar = ProgressBar::new_spinner();
        if silent || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, counts: Mutex::new(ProgressCounts::default()) }
    }

    fn spinner(&self, message: &'static str) {
        self.bar.set_style(style("{spinner} {msg}"));
        self.bar.set_message(message);
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl ProgressObserver for TerminalProgress {
    fn report(&self, event: ProgressEvent) {
        match event {
            ProgressEvent::Waiting(release) => {
                self.spinner("");
                self.bar.set_message(format!("waiting for `{}`, which is being published", release.escape_default()));
            }
            ProgressEvent::Stage(Stage::Open) => {
                if let Ok(mut counts) = self.counts.lock() {
                    *counts = ProgressCounts::default();
                }
                self.spinner("reading the source");
            }
            ProgressEvent::Stage(Stage::Transform) => self.spinner("running sync plugins"),
            ProgressEvent::Stage(Stage::Inspect) => self.spinner("listing the site"),
            ProgressEvent::Stage(Stage::Review) => self.spinner("running policies"),
            ProgressEvent::Stage(Stage::Write) => self.spinner("asking for credentials"),
            ProgressEvent::Stage(Stage::Invalidate) => self.spinner("telling the CDN"),
            ProgressEvent::Read { objects, bytes } => {
                if let Ok(mut counts) = self.counts.lock() {
                    counts.objects += objects;
                    counts.bytes += bytes;
                    let size = indicatif::HumanBytes(counts.bytes);
                    self.bar.set_message(format!("reading the source: {} objects, {size}", counts.objects));
                }
            }
            ProgressEvent::Listed(objects) => self.bar.set_message(format!("listing the site: {objects} objects")),
            ProgressEvent::Questions(count) => {
                self.bar.set_style(style("{spinner} comparing {bar:30} {pos}/{len}"));
                self.bar.set_length(count);
                self.bar.set_position(0);
            }
            ProgressEvent::Answered => self.bar.inc(1),
            ProgressEvent::Planned { operations, bytes: _ } => {
                self.bar.set_style(style("{spinner} publishing {bar:30} {pos}/{len} {per_sec} {eta}"));
                self.bar.set_length(operations);
                self.bar.set_position(0);
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

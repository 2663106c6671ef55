//! Progress on a terminal.
//!
//! Owns the bars. Silent where standard error is no terminal, and with `--json`.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidegate_publish::progress::{Event, Observer, Stage};

/// One bar that follows a run through its stages.
pub(crate) struct Meter {
    bar: ProgressBar,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    objects: u64,
    bytes: u64,
}

impl Meter {
    pub(crate) fn new(silent: bool) -> Self {
        let bar = ProgressBar::new_spinner();
        if silent || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, counts: Mutex::new(Counts::default()) }
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

impl Observer for Meter {
    fn hear(&self, event: Event) {
        match event {
            Event::Waiting(release) => {
                self.spinner("");
                self.bar.set_message(format!("waiting for `{}`, which is being published", release.escape_default()));
            }
            Event::Stage(Stage::Open) => {
                if let Ok(mut counts) = self.counts.lock() {
                    *counts = Counts::default();
                }
                self.spinner("reading the source");
            }
            Event::Stage(Stage::Shape) => self.spinner("running sync plugins"),
            Event::Stage(Stage::Compare) => self.spinner("listing the site"),
            Event::Stage(Stage::Judge) => self.spinner("running policies"),
            Event::Stage(Stage::Write) => self.spinner("asking for credentials"),
            Event::Stage(Stage::Invalidate) => self.spinner("telling the CDN"),
            Event::Read { objects, bytes } => {
                if let Ok(mut counts) = self.counts.lock() {
                    counts.objects += objects;
                    counts.bytes += bytes;
                    let size = indicatif::HumanBytes(counts.bytes);
                    self.bar.set_message(format!("reading the source: {} objects, {size}", counts.objects));
                }
            }
            Event::Listed(objects) => self.bar.set_message(format!("listing the site: {objects} objects")),
            Event::Questions(count) => {
                self.bar.set_style(style("{spinner} comparing {bar:30} {pos}/{len}"));
                self.bar.set_length(count);
                self.bar.set_position(0);
            }
            Event::Answered => self.bar.inc(1),
            Event::Planned { operations, bytes: _ } => {
                self.bar.set_style(style("{spinner} publishing {bar:30} {pos}/{len} {per_sec} {eta}"));
                self.bar.set_length(operations);
                self.bar.set_position(0);
            }
            Event::Done { operations, .. } => self.bar.inc(operations),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

//! The progress of a stack operation: a line for each resource that is done, and a spinner on a terminal.

use indicatif::ProgressBar;
use tidegate_iam::deploy::{EventKind, StackEvent};

use crate::output::{RED, YELLOW};
use crate::progress::spinner;

/// Shows the events of a stack operation.
pub(crate) struct StackProgress {
    bar: ProgressBar,
}

impl StackProgress {
    pub(crate) fn new(hidden: bool) -> Self {
        Self { bar: spinner(hidden) }
    }

    pub(crate) fn observe(&self, event: &StackEvent) {
        self.bar.suspend(|| match event.kind() {
            EventKind::Done => errln!("{event}"),
            EventKind::Failed => errln!("{RED}{event}{RED:#}"),
            EventKind::RollingBack => errln!("{YELLOW}{event}{YELLOW:#}"),
            EventKind::Started | EventKind::Cancelled | EventKind::Other => {}
        });
        if event.kind() == EventKind::Started {
            self.bar.set_message(event.to_string());
        }
    }
}

impl Drop for StackProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

//! Wakes those whose records have become durable, and readers, while the committer syncs the next batch.
//!
//! A committer that woke hundreds of submitters itself would leave the disk idle meanwhile; and a runtime takes a wake-up
//! from its own threads at a fraction of what one from elsewhere costs. So the committer wakes one task, and that task
//! wakes the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::inner::Inner;

/// How committers reach the task.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    risen: Arc<Notify>,
    has_task: AtomicBool,
}

/// Starts the task, if there is a runtime for it. It ends with the log.
pub(crate) fn start(inner: &Arc<Inner>) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    inner.announcer.has_task.store(true, Ordering::SeqCst);
    let task = Task {
        inner: Arc::downgrade(inner),
        risen: Arc::clone(&inner.announcer.risen),
    };
    runtime.spawn(task.run());
}

impl Announcer {
    /// Something has become durable.
    pub(crate) fn tell(&self, inner: &Inner) {
        if self.has_task.load(Ordering::SeqCst) {
            self.risen.notify_one();
        } else {
            wake_reached(inner);
        }
    }

    /// The log has ceased.
    pub(crate) fn end(&self) {
        self.risen.notify_one();
    }
}

/// The task; when it goes, be it with its runtime, committers wake by themselves.
struct Task {
    inner: Weak<Inner>,
    risen: Arc<Notify>,
}

impl Task {
    async fn run(self) {
        loop {
            self.risen.notified().await;
            let Some(inner) = self.inner.upgrade() else {
                return;
            };
            wake_reached(&inner);
            if inner.has_ceased() {
                return;
            }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.upgrade() {
            inner.announcer.has_task.store(false, Ordering::SeqCst);
            // Whoever still saw the task has raised the watermark before.
            wake_reached(&inner);
        }
    }
}

fn wake_reached(inner: &Inner) {
    for partition in &inner.partitions {
        partition.wake_reached();
    }
    for inbox in &inner.inboxes {
        inbox.watermark().wake_reached();
    }
}

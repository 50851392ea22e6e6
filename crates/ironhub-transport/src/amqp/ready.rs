//! Which nodes have something to do: each has a waker of its own, so that a connection with a thousand devices polls the
//! one that was woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

use super::nodes::NodeId;

/// The nodes of one connection that were woken. Holds each at most once.
#[derive(Debug, Default)]
pub(super) struct Ready(Arc<Mutex<Woken>>);

#[derive(Debug, Default)]
struct Woken {
    nodes: Vec<NodeId>,
    /// The connection's task.
    task: Option<Waker>,
}

/// One node's place among the woken.
#[derive(Debug)]
pub(super) struct NodeWaker {
    node: NodeId,
    is_woken: AtomicBool,
    ready: Arc<Mutex<Woken>>,
}

impl Ready {
    pub(super) fn waker(&self, node: NodeId) -> Arc<NodeWaker> {
        Arc::new(NodeWaker {
            node,
            is_woken: AtomicBool::new(false),
            ready: Arc::clone(&self.0),
        })
    }

    /// The nodes that were woken since the last time.
    pub(super) fn take(&self) -> Vec<NodeId> {
        std::mem::take(&mut self.0.lock().nodes)
    }

    /// Resolves when a node was woken.
    pub(super) fn poll_woken(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut woken = self.0.lock();
        if !woken.nodes.is_empty() {
            return Poll::Ready(());
        }
        if !woken.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            woken.task = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl NodeWaker {
    /// The node is polled now: what wakes it from here on counts again.
    pub(super) fn begin_poll(&self) {
        self.is_woken.store(false, Ordering::Release);
    }
}

impl Wake for NodeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_woken.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = {
            let mut woken = self.ready.lock();
            woken.nodes.push(self.node);
            woken.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_told_once_and_the_task_wakes() {
        let ready = Ready::default();
        let (first, second) = (ready.waker(NodeId(1)), ready.waker(NodeId(2)));
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        let mut cx = Context::from_waker(&waker);
        assert!(ready.poll_woken(&mut cx).is_pending());
        for waker in [&second, &first, &second] {
            waker.wake_by_ref();
        }
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
        assert!(ready.poll_woken(&mut cx).is_ready());
        assert_eq!(ready.take(), [NodeId(2), NodeId(1)]);
        // Not polled yet: still counts as woken.
        first.wake_by_ref();
        assert!(ready.take().is_empty());
        first.begin_poll();
        first.wake_by_ref();
        assert_eq!(ready.take(), [NodeId(1)]);
    }

    #[derive(Default)]
    struct Counter(std::sync::atomic::AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

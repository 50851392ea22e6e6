//! What waits for a connection's task to take it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ironhub_model::MethodCall;
use parking_lot::Mutex;

use super::desired::DesiredOrder;
use super::{CloseReason, Features, LinkEvent};

/// Bounded without refusing: the end, desired notices and the C2D signal have a bound of their own, and methods are
/// bounded by the calls that may be outstanding.
#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    closed: Option<CloseReason>,
    features: Features,
    desired: DesiredOrder,
    methods: VecDeque<(u64, MethodCall)>,
    c2d_ready: bool,
    waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn features(&self) -> Features {
        self.0.lock().features
    }

    /// Changes what the connection listens to. Returns whether the version has to be told from which on it hears
    /// desired properties: see [`Inbox::desired_starts_after`].
    pub(super) fn set_features(&self, features: Features) -> bool {
        self.change(|contents| {
            contents.c2d_ready |= features.c2d && !contents.features.c2d;
            contents.features = features;
            if features.desired {
                contents.desired.subscribe()
            } else {
                contents.desired.unsubscribe();
                false
            }
        })
    }

    pub(super) fn desired_starts_after(&self, version: u64) {
        self.change(|contents| contents.desired.starts_after(version));
    }

    /// The first reason stays.
    pub(super) fn close(&self, reason: CloseReason) {
        self.change(|contents| {
            contents.closed.get_or_insert(reason);
            contents.methods.clear();
            contents.desired.unsubscribe();
        });
    }

    /// Closes the link when too much waits for it: a device that does not read would be told again after it returns.
    pub(super) fn push_desired(&self, version: u64, patch: Arc<str>) -> Result<(), super::desired::Overflow> {
        self.change(|contents| contents.desired.push(version, patch))
    }

    pub(super) fn push_method(&self, request_id: u64, call: MethodCall) {
        self.change(|contents| contents.methods.push_back((request_id, call)));
    }

    /// Nobody waits for the answer any more.
    pub(super) fn withdraw_method(&self, request_id: u64) {
        self.0.lock().methods.retain(|(id, _)| *id != request_id);
    }

    pub(super) fn c2d_ready(&self) {
        self.change(|contents| contents.c2d_ready |= contents.features.c2d);
    }

    /// Wakes the connection's task although nothing is new, so that it looks at the clock.
    pub(super) fn wake(&self) {
        self.change(|_| ());
    }

    /// Is a notice missing, for which others wait?
    pub(super) fn has_desired_gap(&self) -> bool {
        self.0.lock().desired.has_gap()
    }

    pub(super) fn skip_desired_gap(&self) {
        self.0.lock().desired.skip_gap();
    }

    /// The end comes first; afterwards what is oldest in the device's eyes.
    /// Only what there is room for.
    pub(super) fn poll(&self, cx: &mut Context<'_>, room: Features) -> Poll<LinkEvent> {
        let mut contents = self.0.lock();
        if let Some(event) = contents.take(room) {
            return Poll::Ready(event);
        }
        match &mut contents.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => contents.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn change<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> T {
        let (result, waker) = {
            let mut contents = self.0.lock();
            (change(&mut contents), contents.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }
}

impl Contents {
    fn take(&mut self, room: Features) -> Option<LinkEvent> {
        if let Some(reason) = self.closed {
            return Some(LinkEvent::Close(reason));
        }
        if room.desired
            && let Some((version, patch)) = self.desired.next()
        {
            return Some(LinkEvent::Desired { version, patch });
        }
        if room.methods
            && let Some((request_id, call)) = self.methods.pop_front()
        {
            return Some(LinkEvent::Method { request_id, call });
        }
        (room.c2d && std::mem::take(&mut self.c2d_ready)).then_some(LinkEvent::C2dReady)
    }
}

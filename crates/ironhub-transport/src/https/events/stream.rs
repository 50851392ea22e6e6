use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use ironhub_model::limits::EVENT_STREAM_PAUSE_MAX;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// A comment of server-sent events: tells both ends that the other is still there.
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b":\n\n");

/// The body of a stream of events. It ends with the events, after as many as were asked for, or with the caller's
/// credentials.
pub(super) struct EventStream {
    events: Receiver<Bytes>,
    left: Option<u64>,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    signs_of_life: Option<Interval>,
    _permit: OwnedSemaphorePermit,
}

impl EventStream {
    /// `end` resolves when the caller may no longer read.
    pub(super) fn new(
        events: Receiver<Bytes>,
        permit: OwnedSemaphorePermit,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self {
            events,
            left: None,
            end: Box::pin(end),
            signs_of_life: None,
            _permit: permit,
        }
    }

    pub(super) fn with_max(self, max: Option<u64>) -> Self {
        Self { left: max, ..self }
    }

    pub(super) fn with_signs_of_life(self, wanted: bool) -> Self {
        let signs_of_life = wanted.then(|| {
            let mut ticks = interval(EVENT_STREAM_PAUSE_MAX);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self { signs_of_life, ..self }
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == Some(0) || self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(event) = self.events.poll_recv(cx) {
            self.left = self.left.map(|left| left.saturating_sub(1));
            return Poll::Ready(event.map(|event| Ok(Frame::data(event))));
        }
        let ticks = self.signs_of_life.as_mut();
        if ticks.is_some_and(|ticks| ticks.poll_tick(cx).is_ready()) {
            return Poll::Ready(Some(Ok(Frame::data(SIGN_OF_LIFE))));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use http_body_util::BodyExt;
    use tokio::sync::{Semaphore, mpsc};
    use tokio::time::sleep;

    use super::*;

    async fn frames(mut stream: EventStream) -> Vec<Bytes> {
        let mut frames = Vec::new();
        while let Some(Ok(frame)) = stream.frame().await {
            frames.push(frame.into_data().unwrap());
        }
        frames
    }

    async fn stream(lifetime_s: u64) -> (mpsc::Sender<Bytes>, EventStream) {
        let (sender, receiver) = mpsc::channel(8);
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        (
            sender,
            EventStream::new(receiver, permit, sleep(Duration::from_secs(lifetime_s))),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn ends_with_the_events_or_after_so_many() {
        let (sender, events) = stream(60).await;
        for event in ["a", "b", "c"] {
            sender.send(event.into()).await.unwrap();
        }
        assert_eq!(frames(events.with_max(Some(2))).await, ["a", "b"]);
        let (sender, events) = stream(60).await;
        sender.send("a".into()).await.unwrap();
        drop(sender);
        assert_eq!(frames(events).await, ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_with_the_credentials_and_shows_life_until_then() {
        let (_sender, events) = stream(40).await;
        // The first sign comes at once, then one each fifteen seconds.
        assert_eq!(frames(events.with_signs_of_life(true)).await, [SIGN_OF_LIFE; 3]);
        let (_sender, events) = stream(40).await;
        assert!(frames(events).await.is_empty());
    }
}

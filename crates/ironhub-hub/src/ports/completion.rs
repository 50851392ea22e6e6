//! Tells a submitter that its record has become durable, at the cost of a number.
//!
//! A log commits its records in the order of submission, so one rising number (the watermark) says of every record
//! whether it is durable. Waking goes once to each waiting task per batch, not once per record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;

/// Everything up to this ticket, inclusive, is durable. Owned by the log's committer; only ever rises.
#[derive(Debug)]
pub struct Watermark {
    /// The figure itself, so that asking takes no lock.
    durable: AtomicU64,
    stopped: AtomicBool,
    /// Carries the same figure to whoever waits.
    rises: watch::Sender<u64>,
}

/// A record's place in the order of submission to one log.
#[derive(Debug, Clone)]
pub struct Completion {
    ticket: u64,
    watermark: Arc<Watermark>,
}

/// The log has stopped; whether the record is durable is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event log has stopped")]
pub struct LogStopped;

impl Watermark {
    /// Nothing is durable yet; tickets start at 1.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            durable: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            rises: watch::Sender::new(0),
        })
    }

    /// The completion of the record with this ticket.
    pub fn completion(self: &Arc<Self>, ticket: u64) -> Completion {
        Completion {
            ticket,
            watermark: Arc::clone(self),
        }
    }

    /// Declares everything up to `ticket` durable and wakes whoever waits.
    pub fn advance(&self, ticket: u64) {
        if self.durable.fetch_max(ticket, Ordering::AcqRel) < ticket {
            self.rises.send_modify(|durable| *durable = (*durable).max(ticket));
        }
    }

    /// Declares that nothing further becomes durable and wakes whoever waits. Completions keep the watermark alive, so
    /// dropping it would tell nobody.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.rises.send_modify(|_| {});
    }

    /// The highest durable ticket.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Has the log stopped? What is not durable by then may or may not be found after a restart.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// A receiver that sees each rise, for connections that wait for many completions at once. It also changes once
    /// when the log stops: then [`Watermark::is_stopped`].
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.rises.subscribe()
    }
}

impl Completion {
    /// Of a record that needs no place in the log: durable from the start.
    pub fn durable_already() -> Self {
        Watermark::new().completion(0)
    }

    /// Is the record durable by now?
    pub fn is_durable(&self) -> bool {
        self.watermark.durable() >= self.ticket
    }

    /// The place in the order of submission.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

    /// The log's watermark; the same for all completions of one journal.
    pub fn watermark(&self) -> &Arc<Watermark> {
        &self.watermark
    }

    /// Resolves when the record is durable, or when the log has stopped before that.
    pub async fn durable(&self) -> Result<(), LogStopped> {
        let mut rises = self.watermark.subscribe();
        loop {
            // In this order: the log rises before it stops.
            let stopped = self.watermark.is_stopped();
            if self.is_durable() {
                return Ok(());
            }
            if stopped || rises.changed().await.is_err() {
                return Err(LogStopped);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rise_completes_all_up_to_it() {
        let watermark = Watermark::new();
        let (first, second) = (watermark.completion(1), watermark.completion(2));
        assert!(!first.is_durable());
        let waiting = tokio::spawn(async move { second.durable().await });
        watermark.advance(2);
        watermark.advance(1);
        assert!(first.is_durable());
        assert_eq!(watermark.durable(), 2);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_stop_fails_what_is_not_durable() {
        let watermark = Watermark::new();
        let (first, second) = (watermark.completion(1), watermark.completion(2));
        watermark.advance(1);
        let waiting = tokio::spawn(async move { second.durable().await });
        watermark.stop();
        assert_eq!(first.durable().await, Ok(()));
        assert_eq!(waiting.await.unwrap(), Err(LogStopped));
    }
}

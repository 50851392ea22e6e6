use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ironhub_model::{FeedbackBatch, LockToken};
use parking_lot::Mutex;
use tracing::debug;

use super::Feedback;
use crate::error::HubError;
use crate::ports::Ports;

/// A reader that stays, such as an AMQP link: it has at most one batch at a time. Clones are the same reader; when the
/// last one goes, the batch that it has not settled is given back, with one more failed delivery.
pub struct FeedbackReader<P: Ports>(Arc<Reader<P>>);

struct Reader<P: Ports> {
    feedback: Feedback<P>,
    batch: Mutex<Option<LockToken>>,
}

impl<P: Ports> FeedbackReader<P> {
    pub(super) fn new(feedback: &Feedback<P>) -> Self {
        Self(Arc::new(Reader {
            feedback: feedback.clone(),
            batch: Mutex::new(None),
        }))
    }

    /// The next batch, locked. It comes when the one before is settled, by [`Feedback::complete`] or
    /// [`Feedback::abandon`], or has lost its lock. Cancel-safe: no batch comes into the reader's hands unseen.
    pub async fn next(&self) -> Result<FeedbackBatch, HubError> {
        let mut changes = self.0.feedback.core.feedback.changes();
        loop {
            // Seen before looking: what changes from here on is waited for.
            changes.borrow_and_update();
            if let Some(batch) = self.next_if_any().await? {
                return Ok(batch);
            }
            changes.changed().await.map_err(|_| HubError::ShuttingDown)?;
        }
    }

    /// The same without waiting for a batch. Cancel-safe.
    pub async fn next_if_any(&self) -> Result<Option<FeedbackBatch>, HubError> {
        let Reader { feedback, batch } = &*self.0;
        let before = *batch.lock();
        if before.is_some_and(|token| feedback.core.feedback.is_out(&token)) {
            return Ok(None);
        }
        let found = feedback.receive(Duration::ZERO).await?;
        if let Some(found) = &found {
            *batch.lock() = Some(found.lock_token);
        }
        Ok(found)
    }
}

impl<P: Ports> Clone for FeedbackReader<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Ports> fmt::Debug for FeedbackReader<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedbackReader")
            .field("batch", &self.0.batch)
            .finish_non_exhaustive()
    }
}

impl<P: Ports> Drop for Reader<P> {
    fn drop(&mut self) {
        let batch = self.batch.get_mut().take();
        let Some(token) = batch.filter(|token| self.feedback.core.feedback.is_out(token)) else {
            return;
        };
        // Without a runtime the process is ending, and with it the lock.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let feedback = self.feedback.clone();
        let under_way = feedback.core.tasks.begin();
        runtime.spawn(async move {
            // A batch that cannot be given back now times out.
            if let Err(error) = feedback.abandon(&token).await {
                debug!(%error, "a feedback batch was not given back");
            }
            drop(under_way);
        });
    }
}

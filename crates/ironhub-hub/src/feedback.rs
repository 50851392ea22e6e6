//! Reports on what became of cloud-to-device messages, read in batches by the back end.

mod batches;
mod reader;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ironhub_model::limits::{C2D_LOCK_MAX, FEEDBACK_BATCH_RECORDS_MAX, FEEDBACK_RECORDS_MAX};
use ironhub_model::{DeviceId, FeedbackBatch, FeedbackRecord, FeedbackStatus, LockToken};
use tokio::time::Instant;

pub(crate) use batches::Batches;
pub use reader::FeedbackReader;

use crate::c2d::Receipt;
use crate::core::{Core, service};
use crate::error::HubError;
use crate::ports::{Commit, CommitError, Mail, MailId, MailOp, Ports, StateStore};
use crate::random;
use crate::store::c2d::{QueuedFeedback, feedback_key, is_feedback};

/// How often a look at the mailbox is begun anew because it changed meanwhile.
const LOOKS_MAX: u32 = 64;

service! {
    /// The queue of reports; each batch goes to one reader.
    Feedback
}

impl<P: Ports> Feedback<P> {
    /// Locks the oldest reports that are free, at most 64, as one batch.
    pub async fn receive(&self, lock: Duration) -> Result<Option<FeedbackBatch>, HubError> {
        let configured = Duration::from_secs(self.core.settings.current().c2d.feedback_lock_duration_s);
        let lock = if lock.is_zero() {
            configured
        } else {
            lock.min(C2D_LOCK_MAX)
        };
        self.core.end_timed_out_feedback().await?;
        for _ in 0..LOOKS_MAX {
            let (records, removals) = self.core.free_feedback().await?;
            let Some((_, newest)) = records.last() else {
                return Ok(None);
            };
            let lock_token = random::lock_token()?;
            let enqueued_at = newest.enqueued_time_utc;
            let ids = records.iter().map(|(id, _)| *id).collect();
            if self
                .core
                .feedback
                .lock(lock_token, ids, Instant::now() + lock, removals)
            {
                let records = records.into_iter().map(|(_, record)| record).collect();
                return Ok(Some(FeedbackBatch {
                    lock_token,
                    records,
                    enqueued_at,
                }));
            }
        }
        Err(HubError::Busy)
    }

    /// A reader that waits for batches, and gives back what it has when it goes.
    pub fn reader(&self) -> FeedbackReader<P> {
        FeedbackReader::new(self)
    }

    /// The reader has the batch: its reports are gone. This counts from the call on, as does [`Self::abandon`]: what is
    /// returned tells how it went, and need not be waited for.
    pub fn complete(&self, token: &LockToken) -> impl Future<Output = Result<(), HubError>> + use<P> {
        let begun = self.begin_to_settle(token).map(|batch| {
            let core = Arc::clone(&self.core);
            self.core.to_the_end(async move {
                core.remove_feedback(&batch.ids).await?;
                batch.removed();
                Ok(())
            })
        });
        async move { begun?.await }
    }

    /// The reader wants the batch later: its reports are free again, with one more failed delivery.
    pub fn abandon(&self, token: &LockToken) -> impl Future<Output = Result<(), HubError>> + use<P> {
        let begun = self.begin_to_settle(token).map(|batch| {
            let core = Arc::clone(&self.core);
            self.core.to_the_end(async move {
                core.fail_feedback(&batch.ids).await?;
                batch.released();
                Ok(())
            })
        });
        async move { begun?.await }
    }

    fn begin_to_settle(&self, token: &LockToken) -> Result<batches::Settling, HubError> {
        self.core.feedback.settle(token).ok_or(HubError::LockLost)
    }
}

/// Does this commit bring a report?
pub(crate) fn has_report(commit: &Commit) -> bool {
    let is_report = |op: &MailOp| matches!(op, MailOp::Push { mailbox, .. } if is_feedback(mailbox));
    commit.mail.iter().any(is_report)
}

/// The mail that reports on a message to this device.
pub(crate) fn report<P: Ports>(
    core: &Core<P>,
    device: &DeviceId,
    receipt: &Receipt,
    status: FeedbackStatus,
) -> Result<MailOp, HubError> {
    let now = core.now();
    let record = FeedbackRecord {
        original_message_id: receipt.message_id.clone(),
        enqueued_time_utc: now,
        status_code: status,
        description: status.description().into(),
        device_id: device.clone(),
        device_generation_id: receipt.generation_id.clone(),
    };
    let ttl = Duration::from_secs(core.settings.current().c2d.feedback_ttl_s);
    Ok(MailOp::Push {
        mailbox: feedback_key(),
        due_at: now.saturating_add(ttl),
        content: QueuedFeedback {
            failed_deliveries: 0,
            record,
        }
        .content()?,
        messages_max: FEEDBACK_RECORDS_MAX,
    })
}

impl<P: Ports> Core<P> {
    /// The oldest reports that are free and may be delivered, with the count of removals from before they were read.
    /// Those that may not are removed on the way.
    async fn free_feedback(&self) -> Result<(Vec<(MailId, FeedbackRecord)>, u64), HubError> {
        let deliveries_max = self.settings.current().c2d.feedback_max_delivery_count;
        loop {
            let removals = self.feedback.removals();
            let limit = self.feedback.locked().saturating_add(FEEDBACK_BATCH_RECORDS_MAX);
            let mails = self.state.mailbox(&feedback_key(), None, limit).await?;
            let free = mails.into_iter().filter(|mail| !self.feedback.is_locked(mail.id));
            let now = self.now();
            let (mut good, mut bad) = (Vec::new(), Vec::new());
            for mail in free.take(FEEDBACK_BATCH_RECORDS_MAX) {
                let queued = QueuedFeedback::read(&mail)?;
                let is_dead = mail.due_at <= now || queued.failed_deliveries >= deliveries_max;
                if is_dead || !self.is_current(&queued.record).await? {
                    bad.push(mail.id);
                } else {
                    good.push((mail.id, queued.record));
                }
            }
            if bad.is_empty() {
                return Ok((good, removals));
            }
            self.remove_feedback(&bad).await?;
        }
    }

    /// Reports on devices that are no more are of no use to anybody.
    async fn is_current(&self, record: &FeedbackRecord) -> Result<bool, HubError> {
        match self.device_generation(&record.device_id).await {
            Ok(generation) => Ok(generation == record.device_generation_id),
            Err(HubError::DeviceNotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn remove_feedback(&self, ids: &[MailId]) -> Result<(), HubError> {
        let ops = ids.iter().map(|id| MailOp::Remove {
            mailbox: feedback_key(),
            id: *id,
        });
        self.commit_those_there(ops.collect()).await?;
        self.feedback.count_removal();
        Ok(())
    }

    async fn fail_feedback(&self, ids: &[MailId]) -> Result<(), HubError> {
        let mut ops = Vec::with_capacity(ids.len());
        for id in ids {
            let before = id.0.checked_sub(1).map(MailId);
            let mail = self.state.mailbox(&feedback_key(), before, 1).await?.pop();
            let Some(mail) = mail.filter(|mail| mail.id == *id) else {
                continue;
            };
            let mut queued = QueuedFeedback::read(&mail)?;
            queued.failed_deliveries = queued.failed_deliveries.saturating_add(1);
            ops.push(MailOp::Update {
                mailbox: feedback_key(),
                id: *id,
                content: queued.content()?,
            });
        }
        self.commit_those_there(ops).await
    }

    /// Frees the batches that readers let time out.
    pub(crate) async fn end_timed_out_feedback(&self) -> Result<(), HubError> {
        for batch in self.feedback.settle_timed_out() {
            self.fail_feedback(&batch.ids).await?;
            batch.released();
        }
        Ok(())
    }

    /// A report whose time is over goes, whoever has it.
    pub(crate) async fn expire_feedback(&self, mail: &Mail) -> Result<bool, HubError> {
        self.remove_feedback(&[mail.id]).await?;
        Ok(true)
    }

    /// Commits the operations on mails that are still there.
    async fn commit_those_there(&self, mut ops: Vec<MailOp>) -> Result<(), HubError> {
        while !ops.is_empty() {
            let commit = Commit {
                mail: ops.clone(),
                ..Commit::default()
            };
            match self.commit(commit).await {
                Ok(_) => return Ok(()),
                Err(CommitError::NoMail(gone)) if gone < ops.len() => {
                    ops.remove(gone);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

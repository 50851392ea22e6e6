//! The one task that moves outbox records to the event log.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, warn};

use super::PumpState;
use super::checkpoint::Checkpoint;
use crate::core::Core;
use crate::error::HubError;
use crate::events::stored_form::set_dedupe_id;
use crate::ports::{
    Commit, CommitError, Completion, EventLog, OutboxId, OutboxRecord, Ports, StateStore, StoreError, SubmitError,
};

const BATCH_RECORDS_MAX: usize = 512;
const NO_SPACE_RETRY: Duration = Duration::from_secs(1);

/// Moves records until told to end, or until the store or the log has stopped.
pub(crate) async fn run<P: Ports>(core: Arc<Core<P>>) {
    let mut draining = core.outbox.draining.subscribe();
    let ended = match pump(&core, &mut draining).await {
        Ok(()) => PumpState::Ended,
        Err(HubError::ShuttingDown) => {
            warn!("the outbox waits for the next start: storage has stopped");
            PumpState::Failed
        }
        Err(error) => {
            error!(%error, "the outbox is stuck: its events wait for the next start");
            PumpState::Failed
        }
    };
    core.outbox.state.send_replace(ended);
}

async fn pump<P: Ports>(core: &Core<P>, draining: &mut watch::Receiver<bool>) -> Result<(), HubError> {
    let mut checkpoint = Checkpoint::load(core).await?;
    let mut appended = checkpoint.appended(&core.log).await?;
    loop {
        let records = core.state.outbox(None, BATCH_RECORDS_MAX).await?;
        let Some(last) = records.last().map(|record| record.id) else {
            if *draining.borrow_and_update() {
                return Ok(());
            }
            tokio::select! {
                () = core.outbox.work.notified() => {}
                _ = draining.changed() => {}
            }
            continue;
        };
        if checkpoint == Checkpoint::Closed {
            checkpoint = Checkpoint::open(&core.log)?;
            store(core, checkpoint.put(Commit::new())?).await?;
        }
        append(core, records, &appended).await?;
        appended.clear();
        // More may wait already: the commit that ends this batch then begins the next one.
        let more = !core.state.outbox(Some(last), 1).await?.is_empty();
        checkpoint = if more {
            Checkpoint::open(&core.log)?
        } else {
            Checkpoint::Closed
        };
        let mut done = checkpoint.put(Commit::new())?;
        done.outbox_done = Some(last);
        store(core, done).await?;
    }
}

/// Appends what is not in the log yet and waits until all of it is durable.
async fn append<P: Ports>(
    core: &Core<P>,
    records: Vec<OutboxRecord>,
    appended: &HashSet<OutboxId>,
) -> Result<(), HubError> {
    let mut completions = Vec::with_capacity(records.len());
    for record in records.into_iter().filter(|record| !appended.contains(&record.id)) {
        let mut event = Vec::from(record.event);
        set_dedupe_id(&mut event, record.id);
        completions.push(submit(&core.log, &record.partition, &event).await?);
    }
    for completion in completions {
        completion.durable().await.map_err(|_| HubError::ShuttingDown)?;
    }
    Ok(())
}

async fn submit<L: EventLog>(
    log: &L,
    partition: &ironhub_model::PartitionId,
    event: &[u8],
) -> Result<Completion, HubError> {
    loop {
        match log.submit(*partition, event) {
            Ok(completion) => return Ok(completion),
            Err(SubmitError::Full) => log.ready().await?,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Commits, again each second while there is no space.
async fn store<P: Ports>(core: &Core<P>, commit: Commit) -> Result<(), HubError> {
    loop {
        match core.commit(commit.clone()).await {
            Ok(_) => return Ok(()),
            Err(CommitError::Store(StoreError::NoSpace(_))) => tokio::time::sleep(NO_SPACE_RETRY).await,
            Err(error) => return Err(error.into()),
        }
    }
}

//! Brings what memory knows of connections into the store, without haste.

use std::sync::Arc;
use std::time::Duration;

use ironhub_model::registry::ConnectionView;
use ironhub_model::{GenerationId, IdentityId};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::warn;

use crate::core::Core;
use crate::error::HubError;
use crate::ports::{Commit, Expect, Ports, Table};
use crate::store;

/// Between two rounds. So much of a last activity may be forgotten when the hub dies, and more with many connected.
const ROUND_INTERVAL: Duration = Duration::from_mins(1);
/// Records of one commit.
const BATCH_RECORDS_MAX: usize = 256;
/// Between two commits of a round, so that many devices that are heard of do not keep the store busy.
const BATCH_PAUSE: Duration = Duration::from_millis(200);
/// A hub that stops writes down what it can within this time.
const LAST_ROUND_MAX: Duration = Duration::from_secs(5);

/// Runs until the hub drains.
pub(crate) async fn run<P: Ports>(core: Arc<Core<P>>) {
    let mut rounds = interval(ROUND_INTERVAL);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rounds.tick().await;
    loop {
        let round = async {
            rounds.tick().await;
            core.flush_presence(BATCH_PAUSE).await
        };
        let outcome = tokio::select! {
            outcome = round => outcome,
            () = core.draining() => return,
        };
        if let Err(error) = outcome {
            warn!(%error, "last activities not written, trying again later");
        }
    }
}

impl<P: Ports> Core<P> {
    /// What the registry shows of an identity's connection.
    pub(crate) async fn connection_of(&self, of: (IdentityId, GenerationId)) -> Result<ConnectionView, HubError> {
        let mut views = self.connections_of(&[of]).await?;
        Ok(views.pop().unwrap_or_default())
    }

    /// What the registry shows of connections, in the order of the identities.
    pub(crate) async fn connections_of(
        &self,
        whose: &[(IdentityId, GenerationId)],
    ) -> Result<Vec<ConnectionView>, HubError> {
        let known: Vec<_> = whose
            .iter()
            .map(|(id, generation)| self.presence.view(id, generation))
            .collect();
        let unknown = whose.iter().zip(&known).filter(|(_, known)| known.is_none());
        let mut stored = store::presence::load_many(&self.state, unknown.map(|(of, _)| of))
            .await?
            .into_iter();
        let view = |known: Option<ConnectionView>| known.or_else(|| stored.next()).unwrap_or_default();
        Ok(known.into_iter().map(view).collect())
    }

    /// Writes down what changes most while the hub runs; for its end.
    pub(crate) async fn flush_presence_at_last(&self) {
        match timeout(LAST_ROUND_MAX, self.flush_presence(Duration::ZERO)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "last activities not written"),
            Err(_) => warn!("too many last activities to write them all"),
        }
    }

    async fn flush_presence(&self, pause: Duration) -> Result<(), HubError> {
        let mut after = None;
        loop {
            let changes = self.presence.changes(after.as_ref(), BATCH_RECORDS_MAX);
            if !changes.records.is_empty() {
                let mut commit = Commit::new();
                for (id, record) in &changes.records {
                    commit = commit.put_presence(id, record)?;
                }
                self.commit(commit).await?;
                self.discard_presence(self.presence.stored(changes.records)).await?;
                sleep(pause).await;
            }
            after = changes.next_after;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Identities that went while their records were written: nobody else would remove these.
    async fn discard_presence(&self, gone: Vec<IdentityId>) -> Result<(), HubError> {
        if gone.is_empty() {
            return Ok(());
        }
        let delete =
            |commit: Commit, id: &IdentityId| commit.delete(Table::Presence, store::identities::key(id), Expect::Any);
        self.commit(gone.iter().fold(Commit::new(), delete)).await?;
        Ok(())
    }
}

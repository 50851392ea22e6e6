//! What all services of one hub share.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use ironhub_model::limits::WRITER_TURNS;
use ironhub_model::{DeviceId, PartitionId, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tracing::error;
use xxhash_rust::xxh3::xxh3_64;

use crate::auth::CredentialsCache;
use crate::connections::LinkTable;
use crate::error::HubError;
use crate::events::Receivers;
use crate::events::connection_state::EventNumbers;
use crate::hub::{Health, HubInfo, Parts};
use crate::outbox::Outbox;
use crate::ports::{Clock, Commit, CommitError, EventLog, Ports, Rev, StateStore, StoreError};
use crate::presence::Presence;
use crate::settings::LiveSettings;
use crate::store::settings::SettingsDocument;
use crate::{c2d, feedback, methods};

/// The shared inside of a hub.
pub(crate) struct Core<P: Ports> {
    pub(crate) info: HubInfo,
    pub(crate) state: P::State,
    pub(crate) log: P::Log,
    pub(crate) bus: P::Bus,
    pub(crate) clock: P::Clock,
    pub(crate) settings: LiveSettings,
    pub(crate) credentials: CredentialsCache,
    pub(crate) presence: Presence,
    pub(crate) tasks: Tasks,
    pub(crate) turns: Turns,
    pub(crate) links: LinkTable,
    pub(crate) event_numbers: EventNumbers,
    pub(crate) receivers: Arc<Receivers>,
    pub(crate) outbox: Outbox,
    pub(crate) methods: methods::InFlight,
    pub(crate) c2d: c2d::Locks,
    pub(crate) feedback: Arc<feedback::Batches>,
    draining: watch::Sender<bool>,
    trouble: Mutex<Option<String>>,
}

/// Defines a service: a handle on the core that clones cheaply.
macro_rules! service {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name<P: $crate::ports::Ports> {
            core: std::sync::Arc<$crate::core::Core<P>>,
        }

        impl<P: $crate::ports::Ports> $name<P> {
            pub(crate) fn new(core: &std::sync::Arc<$crate::core::Core<P>>) -> Self {
                Self { core: std::sync::Arc::clone(core) }
            }
        }

        impl<P: $crate::ports::Ports> Clone for $name<P> {
            fn clone(&self) -> Self {
                Self::new(&self.core)
            }
        }

        impl<P: $crate::ports::Ports> std::fmt::Debug for $name<P> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use service;

impl<P: Ports> Core<P> {
    pub(crate) fn new(info: HubInfo, parts: Parts<P>, settings: SettingsDocument) -> Self {
        Self {
            info,
            state: parts.state,
            log: parts.log,
            bus: parts.bus,
            clock: parts.clock,
            settings: LiveSettings::new(settings),
            credentials: CredentialsCache::default(),
            presence: Presence::default(),
            tasks: Tasks::default(),
            turns: Turns::default(),
            links: LinkTable::default(),
            event_numbers: EventNumbers::default(),
            receivers: Arc::default(),
            outbox: Outbox::default(),
            methods: methods::InFlight::default(),
            c2d: c2d::Locks::default(),
            feedback: Arc::default(),
            draining: watch::Sender::new(false),
            trouble: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The partition of everything that concerns this device, module or not. The hash is pinned with the store.
    pub(crate) fn partition(&self, device_id: &str) -> PartitionId {
        let partitions = u64::from(self.info.partitions.max(1));
        let index = xxh3_64(device_id.as_bytes()) % partitions;
        PartitionId(u32::try_from(index).unwrap_or(0))
    }

    /// Commits and remembers whether the store can write, which health tells.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<Vec<Option<Rev>>, CommitError> {
        let has_events = !commit.outbox.is_empty();
        let has_feedback = feedback::has_report(&commit);
        let result = self.state.commit(commit).await;
        if has_events {
            self.outbox.wake();
        }
        if has_feedback && result.is_ok() {
            self.feedback.wake();
        }
        let trouble = match &result {
            Err(CommitError::Store(error @ (StoreError::NoSpace(_) | StoreError::Damaged(_)))) => {
                Some(error.to_string())
            }
            Ok(_) | Err(_) => None,
        };
        let mut known = self.trouble.lock();
        if *known != trouble {
            *known = trouble;
        }
        result
    }

    /// Commits; `false` when a document has changed since it was loaded, so that the decision must be made anew.
    pub(crate) async fn swapped(&self, commit: Commit) -> Result<bool, HubError> {
        match self.commit(commit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn health(&self) -> Health {
        let outbox = self.outbox.has_failed().then(|| "the outbox is stuck".to_owned());
        let commits = self.trouble.lock().clone();
        let known = [self.state.trouble(), self.log.trouble(), commits, outbox];
        Health {
            reasons: known.into_iter().flatten().collect(),
        }
    }

    /// Has the hub begun to stop?
    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// From now on nothing new begins.
    pub(crate) fn begin_draining(&self) {
        self.draining.send_replace(true);
    }

    /// Resolves when the hub begins to stop.
    pub(crate) async fn draining(&self) {
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// Runs an operation to its end even when the caller goes away: what was begun is committed and told. It begins
    /// with this call, whether or not what this returns is ever polled.
    pub(crate) fn to_the_end<T, O>(
        self: &Arc<Self>,
        operation: O,
    ) -> impl Future<Output = Result<T, HubError>> + use<P, T, O>
    where
        T: Send + 'static,
        O: Future<Output = Result<T, HubError>> + Send + 'static,
    {
        let under_way = self.tasks.begin();
        let task = tokio::spawn(async move {
            let result = operation.await;
            drop(under_way);
            result
        });
        async move {
            match task.await {
                Ok(result) => result,
                Err(failure) if failure.is_panic() => {
                    error!(%failure, "an operation panicked");
                    Err(HubError::Internal("an operation failed unexpectedly".into()))
                }
                Err(_) => Err(HubError::ShuttingDown),
            }
        }
    }
}

/// Counts operations under way, so that draining can wait for them.
#[derive(Debug)]
pub(crate) struct Tasks(tokio::sync::watch::Sender<usize>);

impl Default for Tasks {
    fn default() -> Self {
        Self(tokio::sync::watch::Sender::new(0))
    }
}

/// One operation under way, until dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(tokio::sync::watch::Sender<usize>);

impl Tasks {
    pub(crate) fn begin(&self) -> UnderWay {
        self.0.send_modify(|count| *count += 1);
        UnderWay(self.0.clone())
    }

    /// Resolves at a moment when nothing is under way.
    pub(crate) async fn drain(&self) {
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// Has the writers of one device in this process take turns. Compare-and-swap alone keeps writes right; turns keep N
/// writers of one twin from losing N − 1 swaps of each round.
#[derive(Debug)]
pub(crate) struct Turns {
    hasher: RandomState,
    turns: Vec<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            turns: (0..WRITER_TURNS).map(|_| Semaphore::new(1)).collect(),
        }
    }
}

impl Turns {
    /// Waits for this device's turn, which lasts until the permit is dropped. Never wait for two.
    pub(crate) async fn take(&self, device: &DeviceId) -> Option<SemaphorePermit<'_>> {
        let count = u64::try_from(self.turns.len()).unwrap_or(1);
        let index = usize::try_from(self.hasher.hash_one(device) % count).unwrap_or(0);
        self.turns.get(index)?.acquire().await.ok()
    }
}

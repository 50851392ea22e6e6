//! The hub as a whole: its services, its start and its end.

use std::sync::Arc;

use ironhub_model::limits::IDENTITIES_MAX;
use ironhub_model::{HubSettings, Timestamp};

use crate::auth::Auth;
use crate::c2d::{C2d, keeper};
use crate::connections::{self, CloseReason, Connections};
use crate::core::Core;
use crate::error::HubError;
use crate::events::Events;
use crate::feedback::Feedback;
use crate::methods::Methods;
use crate::outbox;
use crate::ports::{EventLog, Ports};
use crate::presence;
use crate::query::Query;
use crate::registry::Registry;
use crate::settings::{self, Settings};
use crate::telemetry::Telemetry;
use crate::twins::Twins;

/// One hub: a cheap handle, cloned to wherever it is called from.
pub struct Hub<P: Ports> {
    /// Who is calling.
    pub auth: Auth<P>,
    /// Device and module identities.
    pub registry: Registry<P>,
    /// Device and module twins.
    pub twins: Twins<P>,
    /// Device-to-cloud messages.
    pub telemetry: Telemetry<P>,
    /// Reading the built-in endpoint.
    pub events: Events<P>,
    /// Cloud-to-device messages.
    pub c2d: C2d<P>,
    /// Reports on what became of them.
    pub feedback: Feedback<P>,
    /// Direct methods.
    pub methods: Methods<P>,
    /// Live connections.
    pub connections: Connections<P>,
    /// Questions over twins.
    pub query: Query<P>,
    /// What an operator can change.
    pub settings: Settings<P>,
    core: Arc<Core<P>>,
}

/// What a hub is told once, when it starts.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// The short name, `hubName` of events and user-id of the hub's own messages.
    pub hub_name: String,
    /// Host names and addresses that tokens may name; the first is the hub's own. Compared without letter case.
    pub host_names: Vec<String>,
    /// When the hub was made, for readers of the built-in endpoint who ask.
    pub created_at: Timestamp,
    /// Settings for a store that has none.
    pub initial: HubSettings,
    /// The development profile: fault rules and a clock that can be moved may exist.
    pub dev: bool,
    /// Devices and modules together that may be registered.
    pub identities_max: u64,
}

/// The adapters that a hub runs on.
pub struct Parts<P: Ports> {
    /// Identities, twins, queues, outbox.
    pub state: P::State,
    /// The event log.
    pub log: P::Log,
    /// Who is connected where.
    pub bus: P::Bus,
    /// Time.
    pub clock: P::Clock,
}

/// What is fixed while a hub runs.
#[derive(Debug, Clone)]
pub struct HubInfo {
    /// See [`HubConfig::hub_name`].
    pub hub_name: String,
    /// See [`HubConfig::host_names`].
    pub host_names: Vec<String>,
    /// See [`HubConfig::created_at`].
    pub created_at: Timestamp,
    /// Partitions of the event log.
    pub partitions: u32,
    /// See [`HubConfig::dev`].
    pub dev: bool,
    /// See [`HubConfig::identities_max`].
    pub identities_max: u64,
}

/// Can the hub do its work? It can when there is no reason why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why not, for people.
    pub reasons: Vec<String>,
}

impl HubConfig {
    /// A hub with the default limits.
    pub fn new(hub_name: impl Into<String>, host_names: Vec<String>, initial: HubSettings) -> Self {
        Self {
            hub_name: hub_name.into(),
            host_names,
            created_at: Timestamp::UNIX_EPOCH,
            initial,
            dev: false,
            identities_max: IDENTITIES_MAX,
        }
    }
}

impl HubInfo {
    /// Is this one of the hub's names? A port behind it does not matter, nor does letter case.
    pub fn is_host(&self, name: &str) -> bool {
        let bare = without_port(name);
        self.host_names
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name) || own.eq_ignore_ascii_case(bare))
    }
}

impl Health {
    /// Is there nothing wrong?
    pub fn is_ok(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl<P: Ports> Hub<P> {
    /// Loads the settings, or stores the initial ones, and starts the background tasks on the current tokio runtime.
    pub async fn start(config: HubConfig, parts: Parts<P>) -> Result<Self, HubError> {
        let loaded = settings::load_or_create(&parts.state, config.initial).await?;
        let info = HubInfo {
            hub_name: config.hub_name,
            host_names: config.host_names,
            created_at: config.created_at,
            partitions: parts.log.partitions(),
            dev: config.dev,
            identities_max: config.identities_max,
        };
        let core = Arc::new(Core::new(info, parts, loaded));
        connections::serve(&core);
        tokio::spawn(outbox::run(Arc::clone(&core)));
        tokio::spawn(keeper::run(Arc::clone(&core)));
        tokio::spawn(presence::run(Arc::clone(&core)));
        Ok(Self::over(core))
    }

    /// The present instant, by the hub's clock.
    pub fn now(&self) -> Timestamp {
        self.core.now()
    }

    /// What is fixed.
    pub fn info(&self) -> &HubInfo {
        &self.core.info
    }

    /// Ends all links, waits until what is under way has ended and the events that it caused are in the log.
    pub async fn drain(&self) {
        self.core.begin_draining();
        self.core.shut_all_links(CloseReason::Draining);
        self.core.tasks.drain().await;
        self.core.flush_presence_at_last().await;
        self.core.outbox.drain().await;
    }

    /// Is everything well?
    pub fn health(&self) -> Health {
        self.core.health()
    }

    fn over(core: Arc<Core<P>>) -> Self {
        Self {
            auth: Auth::new(&core),
            registry: Registry::new(&core),
            twins: Twins::new(&core),
            telemetry: Telemetry::new(&core),
            events: Events::new(&core),
            c2d: C2d::new(&core),
            feedback: Feedback::new(&core),
            methods: Methods::new(&core),
            connections: Connections::new(&core),
            query: Query::new(&core),
            settings: Settings::new(&core),
            core,
        }
    }
}

impl<P: Ports> Clone for Hub<P> {
    fn clone(&self) -> Self {
        Self::over(Arc::clone(&self.core))
    }
}

impl<P: Ports> std::fmt::Debug for Hub<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("info", &self.core.info)
            .finish_non_exhaustive()
    }
}

/// `host` of `host:8883`; an IPv6 address keeps its colons.
fn without_port(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_compare_without_case_and_port() {
        let names = ["Hub.Example.test", "127.0.0.1", "::1", "[::1]"];
        let info = HubInfo {
            hub_name: "hub".into(),
            host_names: names.map(String::from).to_vec(),
            created_at: Timestamp::UNIX_EPOCH,
            partitions: 4,
            dev: false,
            identities_max: 1,
        };
        for (name, expected) in [
            ("hub.example.test", true),
            ("HUB.example.test:8883", true),
            ("127.0.0.1:443", true),
            ("::1", true),
            ("[::1]:443", true),
            ("hub.example.test:", false),
            ("hub.example.test.evil", false),
            ("example.test", false),
            ("", false),
        ] {
            assert_eq!(info.is_host(name), expected, "{name}");
        }
    }
}

//! The hub's own settings: one versioned document.

mod declared;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access_policy::AccessPolicy;
use crate::event::{ConsumerGroup, EventSource};
use crate::identity::IdentityId;
use crate::limits;

pub use self::declared::{Declared, SettingName};

/// What an operator can change while the hub runs. The file of the node holds listeners, paths and logging instead. The
/// three switches are those of Azure's resource description (`IotHubProperties`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that an operator can set")]
pub struct HubSettings {
    /// At most 16 named keys.
    pub policies: Vec<AccessPolicy>,
    /// Readers of the built-in endpoint besides `$Default`.
    pub consumer_groups: Vec<ConsumerGroup>,
    /// Which events go to the built-in endpoint.
    pub routes: Vec<Route>,
    /// Telemetry that no route takes goes to the built-in endpoint.
    pub fallback_route: bool,
    /// Authorities whose certificates devices may present.
    pub ca_certificates: Vec<CaCertificate>,
    /// Cloud-to-device queues.
    pub c2d: C2dSettings,
    /// Allowance for clocks that differ, in seconds: a token is accepted while `now <= se + skew`, and a live
    /// connection is cut at that same instant.
    pub sas_clock_skew_s: u64,
    /// Tokens of policies sign nobody in any more, neither back ends nor devices. Only the settings themselves still
    /// take them, or nobody could turn this back.
    #[serde(default)]
    pub disable_local_auth: bool,
    /// Devices sign in by certificate only: tokens of their own keys are refused. Modules are not concerned.
    #[serde(default, rename = "disableDeviceSAS")]
    pub disable_device_sas: bool,
    /// Tokens of modules' own keys are refused.
    #[serde(default, rename = "disableModuleSAS")]
    pub disable_module_sas: bool,
}

/// Sends events of one source to the built-in endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// At most 64 characters.
    pub name: String,
    /// What it takes.
    pub source: EventSource,
    /// `true` takes everything, `false` nothing. Richer conditions come with message routing.
    #[serde(default = "enabled")]
    pub condition: bool,
    /// A disabled route is as good as absent.
    #[serde(default = "enabled")]
    pub is_enabled: bool,
}

/// A certificate authority that the operator uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaCertificate {
    /// Its name in the hub.
    pub name: String,
    /// PEM text of the one certificate.
    pub pem: String,
    /// Proven to be the operator's; only verified authorities sign devices in.
    pub is_verified: bool,
}

/// Cloud-to-device defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct C2dSettings {
    /// Messages of one device's queue.
    pub queue_messages_max: u32,
    /// Time to live of a message that names none, in seconds.
    pub default_ttl_s: u64,
    /// Delivery attempts before a message is dead-lettered.
    pub max_delivery_count: u32,
    /// How long a received message stays invisible, in seconds.
    pub lock_duration_s: u64,
    /// Time to live of feedback records, in seconds.
    pub feedback_ttl_s: u64,
    /// Deliveries of a feedback batch before it is dropped.
    pub feedback_max_delivery_count: u32,
    /// How long a received feedback batch stays invisible, in seconds.
    pub feedback_lock_duration_s: u64,
}

impl Default for C2dSettings {
    fn default() -> Self {
        Self {
            queue_messages_max: limits::C2D_QUEUE_MESSAGES_MAX,
            default_ttl_s: limits::C2D_TTL_DEFAULT.as_secs(),
            max_delivery_count: limits::C2D_DELIVERY_COUNT_DEFAULT,
            lock_duration_s: limits::C2D_LOCK_DEFAULT.as_secs(),
            feedback_ttl_s: limits::C2D_TTL_DEFAULT.as_secs(),
            feedback_max_delivery_count: limits::C2D_DELIVERY_COUNT_DEFAULT,
            feedback_lock_duration_s: limits::C2D_LOCK_DEFAULT.as_secs(),
        }
    }
}

impl HubSettings {
    /// Default allowance for clocks that differ.
    pub const SAS_CLOCK_SKEW_S_DEFAULT: u64 = 300;

    /// A fresh hub's settings with the given policies.
    pub fn with_policies(policies: Vec<AccessPolicy>) -> Self {
        Self {
            policies,
            consumer_groups: Vec::new(),
            routes: Vec::new(),
            fallback_route: true,
            ca_certificates: Vec::new(),
            c2d: C2dSettings::default(),
            sas_clock_skew_s: Self::SAS_CLOCK_SKEW_S_DEFAULT,
            disable_local_auth: false,
            disable_device_sas: false,
            disable_module_sas: false,
        }
    }

    /// The policy of this name; names are case-sensitive.
    pub fn policy(&self, name: &str) -> Option<&AccessPolicy> {
        self.policies.iter().find(|policy| policy.name == name)
    }

    /// May this identity sign in by a token of its own key?
    pub fn takes_own_tokens(&self, id: &IdentityId) -> bool {
        match id.module {
            None => !self.disable_device_sas,
            Some(_) => !self.disable_module_sas,
        }
    }

    /// See [`HubSettings::sas_clock_skew_s`].
    pub fn sas_clock_skew(&self) -> Duration {
        Duration::from_secs(self.sas_clock_skew_s)
    }

    /// Does an event of this source go to the built-in endpoint? Without any route telemetry does and nothing else;
    /// with routes, what they take and telemetry by the fallback route (Azure documentation "Message routing").
    pub fn is_routed(&self, source: EventSource) -> bool {
        let live = || self.routes.iter().filter(|route| route.is_enabled);
        let taken = live().any(|route| route.source == source && route.condition);
        let telemetry = matches!(source, EventSource::DeviceMessages);
        taken || (telemetry && (self.routes.is_empty() || self.fallback_route))
    }
}

const fn enabled() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(routes: &[(EventSource, bool, bool)], fallback: bool, source: EventSource, expected: bool) {
        let mut settings = HubSettings::with_policies(Vec::new());
        settings.fallback_route = fallback;
        settings.routes = routes
            .iter()
            .map(|&(source, condition, is_enabled)| Route {
                name: "r".into(),
                source,
                condition,
                is_enabled,
            })
            .collect();
        assert_eq!(settings.is_routed(source), expected);
    }

    #[test]
    fn routes_and_the_fallback() {
        use EventSource::{DeviceMessages, TwinChangeEvents};
        check(&[], true, DeviceMessages, true);
        check(&[], true, TwinChangeEvents, false);
        check(&[], false, DeviceMessages, true);
        check(&[(TwinChangeEvents, true, true)], true, TwinChangeEvents, true);
        check(&[(TwinChangeEvents, true, false)], true, TwinChangeEvents, false);
        check(&[(TwinChangeEvents, true, true)], true, DeviceMessages, true);
        check(&[(TwinChangeEvents, true, true)], false, DeviceMessages, false);
        check(&[(DeviceMessages, false, true)], false, DeviceMessages, false);
    }
}

//! What a hub holds when it starts: policies with their keys, the seed's routes, groups and authorities, and devices.

mod devices;

use ironhub_hub::ports::Ports;
use ironhub_hub::{Hub, HubError};
use ironhub_model::limits::SWAP_ATTEMPTS_MAX;
use ironhub_model::registry::Precondition;
use ironhub_model::{AccessPolicy, DeviceId, HubSettings, SymmetricKey};

use crate::config::ServerConfig;
use crate::declared::generated_key;
use crate::dev_keys;
use crate::server::StartError;

/// Settings of a hub that has none yet.
pub(crate) fn settings(config: &ServerConfig) -> Result<HubSettings, StartError> {
    let mut policies = Vec::new();
    for (name, permissions) in AccessPolicy::defaults() {
        let (primary_key, secondary_key) = keys(config, name)?;
        policies.push(AccessPolicy {
            name: name.into(),
            permissions,
            primary_key,
            secondary_key,
        });
    }
    let mut settings = HubSettings::with_policies(policies);
    settings.sas_clock_skew_s = config.sas_clock_skew_s_default();
    Ok(settings)
}

/// Brings a hub that may have run before in line with the configuration: what the seed names and the hub lacks is
/// added; public keys go where they are not good enough. Returns the keys of the seeded devices that have some.
pub(crate) async fn apply<P: Ports>(
    hub: &Hub<P>,
    config: &ServerConfig,
) -> Result<Vec<(DeviceId, SymmetricKey)>, StartError> {
    merge_settings(hub, config).await?;
    devices::register_all(hub, config).await
}

/// Puts the declared settings in force; whatever else the hub's settings hold stays.
pub(crate) async fn declare<P: Ports>(hub: &Hub<P>, config: &ServerConfig) -> Result<(), StartError> {
    change_settings(hub, config, |_| Ok(())).await
}

async fn merge_settings<P: Ports>(hub: &Hub<P>, config: &ServerConfig) -> Result<(), StartError> {
    change_settings(hub, config, |settings| {
        add_seeded(settings, config);
        replace_public_keys(settings, config)
    })
    .await
}

/// Changes the settings, lays the declared ones over them and stores that, anew when someone else was faster.
async fn change_settings<P: Ports>(
    hub: &Hub<P>,
    config: &ServerConfig,
    change: impl Fn(&mut HubSettings) -> Result<(), StartError>,
) -> Result<(), StartError> {
    for _ in 0..SWAP_ATTEMPTS_MAX {
        let (before, etag) = hub.settings.get().await?;
        let mut settings = before.clone();
        change(&mut settings)?;
        let declared = config.declared.apply(&mut settings, |name| keys(config, name))?;
        if settings == before && *declared == *hub.settings.declared() {
            return Ok(());
        }
        let stored = hub
            .settings
            .declare(settings, declared, Precondition::Match(vec![etag]));
        match stored.await {
            Ok(_) => return Ok(()),
            Err(HubError::PreconditionFailed) => {}
            Err(HubError::InvalidArgument(reason)) => return Err(StartError::Settings { reason }),
            Err(error) => return Err(error.into()),
        }
    }
    Err(HubError::Busy.into())
}

/// Adds what the seed names and the settings lack.
fn add_seeded(settings: &mut HubSettings, config: &ServerConfig) {
    for route in &config.seed.routes {
        if !settings.routes.iter().any(|known| known.name == route.name) {
            settings.routes.push(route.clone());
        }
    }
    for group in &config.seed.consumer_groups {
        if !settings.consumer_groups.contains(group) {
            settings.consumer_groups.push(group.clone());
        }
    }
    for certificate in config.seed.ca_certificates() {
        let mut known = settings.ca_certificates.iter();
        if !known.any(|known| known.name == certificate.name) {
            settings.ca_certificates.push(certificate);
        }
    }
}

fn replace_public_keys(settings: &mut HubSettings, config: &ServerConfig) -> Result<(), StartError> {
    for policy in &mut settings.policies {
        let is_public = dev_keys::is_public(&policy.primary_key) || dev_keys::is_public(&policy.secondary_key);
        if is_public && !config.uses_dev_keys() {
            (policy.primary_key, policy.secondary_key) = keys(config, &policy.name)?;
        }
    }
    Ok(())
}

/// Fixed keys where they are good enough, else fresh ones.
fn keys(config: &ServerConfig, name: &str) -> Result<(SymmetricKey, SymmetricKey), StartError> {
    let fixed = || dev_keys::primary(name).and_then(|primary| Ok((primary, dev_keys::secondary(name)?)));
    let pair = if config.uses_dev_keys() {
        fixed().ok()
    } else {
        generated_key().zip(generated_key())
    };
    pair.ok_or(StartError::Random)
}

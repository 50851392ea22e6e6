//! What a hub holds when it starts: policies with their keys, the seed's routes, groups and authorities, and devices.

use ironhub_hub::ports::Ports;
use ironhub_hub::{Hub, HubError};
use ironhub_model::limits::KEY_BYTES_GENERATED;
use ironhub_model::registry::{KeyChoice, Precondition};
use ironhub_model::twin::TwinPatch;
use ironhub_model::{AccessPolicy, Authentication, DeviceId, HubSettings, IdentityId, SymmetricKey};
use ring::rand::{SecureRandom, SystemRandom};
use tracing::{info, warn};

use crate::config::{Profile, ServerConfig};
use crate::dev_keys;
use crate::seed::SeedDevice;
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
    settings.routes.clone_from(&config.seed.routes);
    settings.consumer_groups.clone_from(&config.seed.consumer_groups);
    settings.ca_certificates = config.seed.ca_certificates();
    settings.sas_clock_skew_s = config.effective_sas_clock_skew_s();
    Ok(settings)
}

/// Brings a hub that may have run before in line with the configuration: what the seed names and the hub lacks is
/// added; public keys go where they are not good enough.
pub(crate) async fn apply<P: Ports>(hub: &Hub<P>, config: &ServerConfig) -> Result<(), StartError> {
    merge_settings(hub, config).await?;
    for device in &config.seed.devices {
        register(hub, device).await?;
    }
    if !config.uses_dev_keys() {
        refuse_public_keys(hub, config).await?;
    }
    Ok(())
}

async fn merge_settings<P: Ports>(hub: &Hub<P>, config: &ServerConfig) -> Result<(), StartError> {
    let (mut settings, etag) = hub.settings.get().await?;
    let before = settings.clone();
    settings.sas_clock_skew_s = config.effective_sas_clock_skew_s();
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
        if !settings
            .ca_certificates
            .iter()
            .any(|known| known.name == certificate.name)
        {
            settings.ca_certificates.push(certificate);
        }
    }
    for policy in &mut settings.policies {
        let is_public = dev_keys::is_public(&policy.primary_key) || dev_keys::is_public(&policy.secondary_key);
        if is_public && !config.uses_dev_keys() {
            (policy.primary_key, policy.secondary_key) = keys(config, &policy.name)?;
        }
    }
    if settings != before {
        hub.settings.replace(settings, Precondition::Match(vec![etag])).await?;
    }
    Ok(())
}

async fn register<P: Ports>(hub: &Hub<P>, device: &SeedDevice) -> Result<(), StartError> {
    match hub.registry.put_device(device.spec(), Precondition::None).await {
        Ok(_) => info!(device_id = %device.id, "registered from the seed"),
        Err(HubError::DeviceAlreadyExists(_)) => return Ok(()),
        Err(error) => {
            return Err(StartError::Seed {
                what: format!("device {}", device.id),
                error,
            });
        }
    }
    for module in device.module_specs() {
        let what = format!("module {}/{}", device.id, module.module_id);
        let registered = hub.registry.put_module(module, Precondition::None).await;
        registered.map_err(|error| StartError::Seed { what, error })?;
    }
    if device.tags.is_some() || device.desired.is_some() {
        let patch = TwinPatch {
            tags: device.tags.clone(),
            desired: device.desired.clone(),
        };
        let patched = hub.twins.patch(&device.identity(), patch, Precondition::None).await;
        patched.map_err(|error| StartError::Seed {
            what: format!("twin of {}", device.id),
            error,
        })?;
    }
    Ok(())
}

/// A hub that others can reach must not know the keys that everyone knows. Development hubs get others; a production
/// hub was told them on purpose, and refuses.
async fn refuse_public_keys<P: Ports>(hub: &Hub<P>, config: &ServerConfig) -> Result<(), StartError> {
    for device in &config.seed.devices {
        let view = hub.registry.device(&device.id).await?;
        let Authentication::Sas { primary, secondary } = &view.identity.authentication else {
            continue;
        };
        if !dev_keys::is_public(primary) && !dev_keys::is_public(secondary) {
            continue;
        }
        if config.profile == Profile::Production {
            return Err(StartError::PublicKey {
                id: device.id.to_string(),
            });
        }
        warn!(device_id = %device.id, "others can connect: its public key is replaced by a generated one");
        hub.registry
            .regenerate_keys(KeyChoice::Both, vec![IdentityId::device(device.id.clone())])
            .await?;
    }
    Ok(())
}

/// Keys of the seeded devices that have some, for the announcement.
pub(crate) async fn device_keys<P: Ports>(
    hub: &Hub<P>,
    config: &ServerConfig,
) -> Result<Vec<(DeviceId, SymmetricKey)>, StartError> {
    let mut keys = Vec::new();
    for device in &config.seed.devices {
        let view = hub.registry.device(&device.id).await?;
        if let Authentication::Sas { primary, .. } = view.identity.authentication {
            keys.push((device.id.clone(), primary));
        }
    }
    Ok(keys)
}

/// Fixed keys where they are good enough, else fresh ones.
fn keys(config: &ServerConfig, name: &str) -> Result<(SymmetricKey, SymmetricKey), StartError> {
    let fixed = || dev_keys::primary(name).and_then(|primary| Ok((primary, dev_keys::secondary(name)?)));
    let pair = if config.uses_dev_keys() {
        fixed().ok()
    } else {
        generated().zip(generated())
    };
    pair.ok_or(StartError::Random)
}

fn generated() -> Option<SymmetricKey> {
    let mut bytes = [0; KEY_BYTES_GENERATED];
    SystemRandom::new().fill(&mut bytes).ok()?;
    SymmetricKey::from_bytes(&bytes).ok()
}

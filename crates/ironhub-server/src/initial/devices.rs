//! The devices of the seed.

use ironhub_hub::ports::Ports;
use ironhub_hub::{Hub, HubError};
use ironhub_model::registry::{DeviceView, KeyChoice, Precondition};
use ironhub_model::twin::TwinPatch;
use ironhub_model::{Authentication, DeviceId, SymmetricKey};
use tracing::{info, warn};

use crate::config::{Profile, ServerConfig};
use crate::dev_keys;
use crate::seed::SeedDevice;
use crate::server::StartError;

/// Registers the seed's devices that the hub lacks; returns the primary keys of those that have keys.
pub(super) async fn register_all<P: Ports>(
    hub: &Hub<P>,
    config: &ServerConfig,
) -> Result<Vec<(DeviceId, SymmetricKey)>, StartError> {
    let mut keys = Vec::new();
    for device in &config.seed.devices {
        let mut view = register(hub, device).await?;
        if !config.uses_dev_keys() && is_public(&view.identity.authentication) {
            view = replace_public_key(hub, config, device).await?;
        }
        if let Authentication::Sas { primary, .. } = view.identity.authentication {
            keys.push((device.id.clone(), primary));
        }
    }
    Ok(keys)
}

/// The device as it then is.
async fn register<P: Ports>(hub: &Hub<P>, device: &SeedDevice) -> Result<DeviceView, StartError> {
    let view = match hub.registry.put_device(device.spec(), Precondition::None).await {
        Ok(view) => view,
        Err(HubError::DeviceAlreadyExists(_)) => return Ok(hub.registry.device(&device.id).await?),
        Err(error) => return Err(refused(format!("device {}", device.id), error)),
    };
    info!(device_id = %device.id, "registered from the seed");
    for module in device.module_specs() {
        let what = format!("module {}/{}", device.id, module.module_id);
        let registered = hub.registry.put_module(module, Precondition::None).await;
        registered.map_err(|error| refused(what, error))?;
    }
    if device.tags.is_some() || device.desired.is_some() {
        let patch = TwinPatch {
            tags: device.tags.clone(),
            desired: device.desired.clone(),
        };
        let patched = hub.twins.patch(&device.identity(), patch, Precondition::None).await;
        patched.map_err(|error| refused(format!("twin of {}", device.id), error))?;
    }
    Ok(view)
}

/// A hub that others can reach must not know the keys that everyone knows. Development hubs get others; a production
/// hub was told them on purpose, and refuses.
async fn replace_public_key<P: Ports>(
    hub: &Hub<P>,
    config: &ServerConfig,
    device: &SeedDevice,
) -> Result<DeviceView, StartError> {
    if config.profile == Profile::Production {
        let id = device.id.to_string();
        return Err(StartError::PublicKey { id });
    }
    warn!(device_id = %device.id, "others can connect: its public key is replaced by a generated one");
    hub.registry
        .regenerate_keys(KeyChoice::Both, vec![device.identity()])
        .await?;
    Ok(hub.registry.device(&device.id).await?)
}

fn is_public(authentication: &Authentication) -> bool {
    matches!(authentication, Authentication::Sas { primary, secondary }
        if dev_keys::is_public(primary) || dev_keys::is_public(secondary))
}

fn refused(what: String, error: HubError) -> StartError {
    StartError::Seed { what, error }
}

//! IoT Edge devices: their scopes and system modules (Azure docs: "Understand the identity registry in your IoT hub",
//! "How an IoT Edge device can be used as a gateway").

use ironhub_model::registry::DeviceSpec;
use ironhub_model::{Authentication, DeviceId, DeviceIdentity, GenerationId, ModuleId, ModuleIdentity, Timestamp};

use crate::core::Core;
use crate::error::HubError;
use crate::ports::Ports;
use crate::random;
use crate::store;

const SCOPE_PREFIX: &str = "ms-azure-iot-edge://";
const SYSTEM_MODULES: [&str; 2] = ["$edgeAgent", "$edgeHub"];

/// Is a scope that a write names to be looked up?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeCheck {
    /// A single write must name a scope that there is.
    MustExist,
    /// Bulk writes may bring children before their parents.
    Any,
}

/// `deviceScope` and `parentScopes` of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scopes {
    pub(super) device_scope: Option<String>,
    pub(super) parent_scopes: Vec<String>,
}

/// Decides the scopes of a written record. An edge device has its own scope, and a foreign one given as `deviceScope` is
/// its parent's; a leaf has its parent's scope in both places.
pub(super) fn scopes(spec: &DeviceSpec, generation: &GenerationId) -> Scopes {
    let given = spec.device_scope.as_ref().filter(|scope| !scope.is_empty());
    if !spec.capabilities.iot_edge {
        return Scopes {
            device_scope: given.cloned(),
            parent_scopes: given.cloned().into_iter().collect(),
        };
    }
    let own = format!("{SCOPE_PREFIX}{}-{}", spec.device_id, generation.as_str());
    let mut parent_scopes = spec.parent_scopes.clone();
    if let Some(given) = given.filter(|given| **given != own)
        && parent_scopes.is_empty()
    {
        parent_scopes.push(given.clone());
    }
    Scopes {
        device_scope: Some(own),
        parent_scopes,
    }
}

/// Is this a module that comes and goes with its device being an edge device?
pub(super) fn is_system_module(id: &ModuleId) -> bool {
    SYSTEM_MODULES.contains(&id.as_str())
}

/// The system modules of a new edge device; they cannot prove themselves until the device manages them.
pub(super) fn system_modules(device: &DeviceId, now: Timestamp) -> Result<Vec<ModuleIdentity>, HubError> {
    let module = |name: &str| {
        let module_id = ModuleId::parse(name).map_err(|error| HubError::Internal(error.to_string()))?;
        Ok(ModuleIdentity {
            device_id: device.clone(),
            module_id,
            generation_id: GenerationId::created_at(now, random::salt()?),
            etag: random::etag()?,
            managed_by: Some("iotEdge".into()),
            authentication: Authentication::None,
            created_at: now,
        })
    };
    SYSTEM_MODULES.into_iter().map(module).collect()
}

impl<P: Ports> Core<P> {
    /// Fails when a scope that this write adds is no registered edge device's. Scopes that the record has already stay
    /// legal: their device may be gone.
    pub(super) async fn check_scopes(&self, scopes: &Scopes, old: Option<&DeviceIdentity>) -> Result<(), HubError> {
        for scope in &scopes.parent_scopes {
            let is_known = old.is_some_and(|old| old.parent_scopes.contains(scope));
            if !is_known && !self.is_edge_scope(scope).await? {
                return Err(HubError::InvalidScope(scope.clone()));
            }
        }
        Ok(())
    }

    async fn is_edge_scope(&self, scope: &str) -> Result<bool, HubError> {
        let id = scope
            .strip_prefix(SCOPE_PREFIX)
            .and_then(|rest| rest.rsplit_once('-'))
            .and_then(|(id, _)| DeviceId::parse(id).ok());
        let Some(id) = id else {
            return Ok(false);
        };
        let device = store::identities::device(&self.state, &id).await?;
        Ok(device
            .is_some_and(|(device, _)| device.capabilities.iot_edge && device.device_scope.as_deref() == Some(scope)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(iot_edge: bool, device_scope: Option<&str>, parents: &[&str], own: Option<&str>, expected: &[&str]) {
        let mut spec = DeviceSpec::new(DeviceId::parse("e-1").unwrap());
        spec.capabilities.iot_edge = iot_edge;
        spec.device_scope = device_scope.map(String::from);
        spec.parent_scopes = parents.iter().map(ToString::to_string).collect();
        let scopes = scopes(&spec, &GenerationId::created_at(Timestamp::NEVER, 7));
        assert_eq!(scopes.device_scope.as_deref(), own);
        assert_eq!(scopes.parent_scopes, expected);
    }

    #[test]
    fn leaves_have_their_parents_scope_and_edges_their_own() {
        let own = "ms-azure-iot-edge://e-1-7";
        let parent = "ms-azure-iot-edge://p-1";
        check(false, None, &[], None, &[]);
        check(false, Some(""), &[parent], None, &[]);
        check(false, None, &[parent], None, &[]);
        check(false, Some(parent), &[], Some(parent), &[parent]);
        check(true, None, &[], Some(own), &[]);
        check(true, Some(own), &[], Some(own), &[]);
        check(true, Some(parent), &[], Some(own), &[parent]);
        check(true, Some(own), &[parent], Some(own), &[parent]);
    }
}

//! Device and module identities, and their totals.

use ironhub_model::limits::MODULES_PER_DEVICE_MAX;
use ironhub_model::{DeviceId, DeviceIdentity, IdentityId, ModuleId, ModuleIdentity};

use super::{decode, encode};
use crate::error::HubError;
use crate::ports::{Commit, Expect, Key, Rev, StateStore, Table};

/// Total of devices.
pub(crate) const DEVICES: &str = "devices";
/// Total of devices that are disabled.
pub(crate) const DEVICES_DISABLED: &str = "devices_disabled";
/// Total of modules, system modules included.
pub(crate) const MODULES: &str = "modules";

/// System modules of an edge device do not count against the limit of modules.
const MODULES_READ_MAX: usize = MODULES_PER_DEVICE_MAX + 2;

/// The key of an identity's documents, in whatever table.
pub(crate) fn key(id: &IdentityId) -> Key {
    Key::new(id.to_string())
}

pub(crate) fn device_key(id: &DeviceId) -> Key {
    Key::new(id.as_str())
}

pub(crate) fn module_key(device: &DeviceId, module: &ModuleId) -> Key {
    Key::new(format!("{device}/{module}"))
}

pub(crate) async fn device<S: StateStore>(state: &S, id: &DeviceId) -> Result<Option<(DeviceIdentity, Rev)>, HubError> {
    match state.get(Table::Devices, &device_key(id)).await? {
        Some((bytes, rev)) => Ok(Some((decode(&bytes, "device identity")?, rev))),
        None => Ok(None),
    }
}

pub(crate) async fn module<S: StateStore>(
    state: &S,
    device: &DeviceId,
    module: &ModuleId,
) -> Result<Option<(ModuleIdentity, Rev)>, HubError> {
    match state.get(Table::Modules, &module_key(device, module)).await? {
        Some((bytes, rev)) => Ok(Some((decode(&bytes, "module identity")?, rev))),
        None => Ok(None),
    }
}

/// All modules of a device, in the order of their IDs.
pub(crate) async fn modules_of<S: StateStore>(state: &S, device: &DeviceId) -> Result<Vec<ModuleIdentity>, HubError> {
    modules(state, &format!("{device}/"), None, MODULES_READ_MAX).await
}

/// Devices whose ID starts with `prefix`, beyond `after`, in the order of their IDs.
pub(crate) async fn devices<S: StateStore>(
    state: &S,
    prefix: &str,
    after: Option<&Key>,
    limit: usize,
) -> Result<Vec<DeviceIdentity>, HubError> {
    let page = state.page(Table::Devices, prefix, after, limit).await?;
    page.iter()
        .map(|(_, bytes, _)| decode(bytes, "device identity"))
        .collect()
}

/// Modules whose key `{device}/{module}` starts with `prefix`, beyond `after`, in the order of their keys.
pub(crate) async fn modules<S: StateStore>(
    state: &S,
    prefix: &str,
    after: Option<&Key>,
    limit: usize,
) -> Result<Vec<ModuleIdentity>, HubError> {
    let page = state.page(Table::Modules, prefix, after, limit).await?;
    page.iter()
        .map(|(_, bytes, _)| decode(bytes, "module identity"))
        .collect()
}

impl Commit {
    pub(crate) fn put_device(self, identity: &DeviceIdentity, expect: Expect) -> Result<Self, HubError> {
        let key = device_key(&identity.device_id);
        Ok(self.put(Table::Devices, key, expect, encode(identity, "device identity")?))
    }

    pub(crate) fn put_module(self, identity: &ModuleIdentity, expect: Expect) -> Result<Self, HubError> {
        let key = module_key(&identity.device_id, &identity.module_id);
        Ok(self.put(Table::Modules, key, expect, encode(identity, "module identity")?))
    }
}

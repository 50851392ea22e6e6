//! `--device-id` and `--module-id`: which identity a verb is about.

use clap::Args;
use ironhub_model::{DeviceId, IdentityId, ModuleId};

#[derive(Debug, Clone, Args)]
pub(crate) struct TargetDevice {
    /// The device's name
    #[arg(long, short = 'd', value_name = "ID", value_parser = DeviceId::parse)]
    pub(super) device_id: DeviceId,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct TargetModule {
    /// The device that the module belongs to
    #[arg(long, short = 'd', value_name = "ID", value_parser = DeviceId::parse)]
    pub(super) device_id: DeviceId,
    /// The module's name on that device
    #[arg(long, short = 'm', value_name = "ID", value_parser = ModuleId::parse)]
    pub(super) module_id: ModuleId,
}

impl TargetDevice {
    pub(super) fn id(&self) -> IdentityId {
        IdentityId::device(self.device_id.clone())
    }
}

impl TargetModule {
    pub(super) fn id(&self) -> IdentityId {
        IdentityId::module(self.device_id.clone(), self.module_id.clone())
    }
}

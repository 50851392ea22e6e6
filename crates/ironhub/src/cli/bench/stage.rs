//! What a measurement stands on: the hub, and devices of its own that go when it is over.

use std::time::Duration;

use ironhub_client::{Device, DeviceClient, DeviceClientBuilder, Error, RetryPolicy, ServiceClient};
use ironhub_model::{DeviceId, IdentityId};

use super::Common;
use crate::cli::authentication::{WhichKey, connection_string};
use crate::cli::dice::Dice;
use crate::cli::failure::Failure;
use crate::cli::fleet;
use crate::cli::interrupt::Interrupt;
use crate::cli::login::Hub;
use crate::cli::progress::Progress;

/// A hub that is gone for so long fails what is under way.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

pub(super) struct Stage {
    pub(super) hub: Hub,
    pub(super) service: ServiceClient,
    pub(super) progress: Progress,
    /// With a part that no other run has.
    prefix: String,
    ids: Vec<DeviceId>,
    pub(super) devices: Vec<Device>,
}

impl Stage {
    pub(super) fn open(common: &Common) -> Result<Self, Failure> {
        let hub = common.login.hub()?;
        Ok(Self {
            service: hub.service()?,
            hub,
            progress: Progress::new(),
            prefix: format!("{}{:08x}-", common.prefix, Dice::thrown().bits() >> 32),
            ids: Vec::new(),
            devices: Vec::new(),
        })
    }

    /// Registers so many devices. What is made is remembered before it is: whatever happens then, it is removed.
    pub(super) async fn register(&mut self, count: usize) -> Result<(), Failure> {
        self.progress.show(&format!("registering {count} devices"));
        let ids = fleet::ids(&self.prefix, count)
            .map_err(|error| Failure::usage(format!("--prefix {}: {error}", self.prefix)))?;
        let (first, others) = ids.split_at(1.min(ids.len()));
        self.ids = first.to_vec();
        let made = fleet::create(&self.service, first).await;
        if let Err(error) = &made
            && !matches!(error, Error::Lost(_) | Error::Timeout(_))
        {
            self.ids.clear(); // Wrong key, no way to the hub: there is nothing to remove.
        }
        self.devices = made?;
        self.ids.extend_from_slice(others);
        self.devices.extend(fleet::create(&self.service, others).await?);
        Ok(())
    }

    /// What the names of this run's devices begin with, and of no other's.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A client of this device, not yet connected.
    pub(super) fn builder(&self, device: &Device) -> Result<DeviceClientBuilder, Failure> {
        let id = IdentityId::device(device.device_id.clone());
        let host = &self.hub.connection.host_name;
        let connection = connection_string(host, &id, &device.authentication, WhichKey::Primary)?;
        let retry = RetryPolicy {
            give_up_after: Some(GIVE_UP_AFTER),
            ..RetryPolicy::default()
        };
        Ok(self.hub.device_builder(connection).retry(retry))
    }

    /// All devices, connected, in order; `set` changes how.
    pub(super) async fn connect(
        &self,
        set: impl Fn(DeviceClientBuilder) -> DeviceClientBuilder,
    ) -> Result<Vec<DeviceClient>, Failure> {
        self.progress
            .show(&format!("connecting {} devices", self.devices.len()));
        let builders = self.devices.iter().map(|device| self.builder(device));
        let builders = builders.collect::<Result<Vec<_>, _>>()?;
        let connecting = builders.into_iter().map(|builder| set(builder).connect());
        Ok(fleet::side_by_side(fleet::CONNECTING_MAX, connecting).await?)
    }

    /// Removes the devices; what may be left is told. Whoever asks to end once more need not wait.
    pub(super) async fn clear(&self, mut interrupt: Interrupt) {
        let (prefix, count) = (&self.prefix, self.ids.len());
        if count == 0 {
            return;
        }
        self.progress.show(&format!("removing {count} devices"));
        let left = tokio::select! {
            left = fleet::remove(&self.service, &self.ids) => {
                left.map(|(count, error)| format!("of the devices {prefix}… {count} could not be removed: {error}"))
            }
            () = interrupt.again() => Some(format!("devices {prefix}… may be left: interrupted")),
        };
        self.progress.clear();
        if let Some(left) = left {
            self.progress.note(&format!("note: {left}"));
        }
    }
}

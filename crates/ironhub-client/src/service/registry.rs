//! Device and module identities.

use hyper::Method;
use ironhub_model::{AuthenticationType, ConnectionString, DeviceId, IdentityId, ModuleId, percent};
use serde::Deserialize;

use super::ServiceClient;
use super::http::Call;
use super::identity::{Device, DeviceAuthentication, Module};
use super::precondition::Match;
use crate::error::Error;

/// How many devices there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceStatistics {
    /// All of them.
    pub total_device_count: u64,
    /// Those that may connect.
    pub enabled_device_count: u64,
    /// Those that may not.
    pub disabled_device_count: u64,
}

/// What became of a device's cloud-to-device queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PurgeResult {
    /// Messages that are gone.
    pub total_messages_purged: u32,
}

impl ServiceClient {
    /// One device.
    pub async fn device(&self, id: &DeviceId) -> Result<Device, Error> {
        self.http().fetch(Call::new(Method::GET, device_path(id))).await
    }

    /// Up to a thousand devices, in no particular order; [`query`](Self::query) pages through any number.
    pub async fn devices(&self, count_max: u16) -> Result<Vec<Device>, Error> {
        self.http()
            .fetch(Call::new(Method::GET, format!("/devices?top={count_max}")))
            .await
    }

    /// Registers a device. Fails with code 409001 when it is there already.
    pub async fn create_device(&self, device: &Device) -> Result<Device, Error> {
        let call = Call::new(Method::PUT, device_path(&device.device_id)).json(device)?;
        self.http().fetch(call).await
    }

    /// Replaces a device's record.
    pub async fn update_device(&self, device: &Device, version: &Match) -> Result<Device, Error> {
        let call = Call::new(Method::PUT, device_path(&device.device_id)).json(device)?;
        self.http().fetch(call.if_match(version.header())).await
    }

    /// Deletes a device with its modules, twins and queue.
    pub async fn delete_device(&self, id: &DeviceId, version: &Match) -> Result<(), Error> {
        let call = Call::new(Method::DELETE, device_path(id)).if_match(version.header());
        self.http().send(call).await.map(drop)
    }

    /// The modules of a device.
    pub async fn modules(&self, device: &DeviceId) -> Result<Vec<Module>, Error> {
        self.http()
            .fetch(Call::new(Method::GET, format!("{}/modules", device_path(device))))
            .await
    }

    /// One module.
    pub async fn module(&self, device: &DeviceId, module: &ModuleId) -> Result<Module, Error> {
        self.http()
            .fetch(Call::new(Method::GET, module_path(device, module)))
            .await
    }

    /// Registers a module. Fails with code 409301 when it is there already.
    pub async fn create_module(&self, module: &Module) -> Result<Module, Error> {
        let path = module_path(&module.device_id, &module.module_id);
        self.http().fetch(Call::new(Method::PUT, path).json(module)?).await
    }

    /// Replaces a module's record.
    pub async fn update_module(&self, module: &Module, version: &Match) -> Result<Module, Error> {
        let path = module_path(&module.device_id, &module.module_id);
        let call = Call::new(Method::PUT, path).json(module)?;
        self.http().fetch(call.if_match(version.header())).await
    }

    /// Deletes a module with its twin.
    pub async fn delete_module(&self, device: &DeviceId, module: &ModuleId, version: &Match) -> Result<(), Error> {
        let call = Call::new(Method::DELETE, module_path(device, module)).if_match(version.header());
        self.http().send(call).await.map(drop)
    }

    /// The connection string by which this device connects with its first key, or with a certificate if that is how it
    /// proves itself.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] when the record has no keys and needs some: it has not been created yet, or the hub does
    /// not tell them to this policy.
    pub fn connection_string(&self, device: &Device) -> Result<ConnectionString, Error> {
        self.string_of(IdentityId::device(device.device_id.clone()), &device.authentication)
    }

    /// The same for a module.
    pub fn module_connection_string(&self, module: &Module) -> Result<ConnectionString, Error> {
        let id = IdentityId::module(module.device_id.clone(), module.module_id.clone());
        self.string_of(id, &module.authentication)
    }

    fn string_of(&self, id: IdentityId, authentication: &DeviceAuthentication) -> Result<ConnectionString, Error> {
        use AuthenticationType::{CertificateAuthority, SelfSigned};
        let x509 = matches!(authentication.kind, Some(SelfSigned | CertificateAuthority));
        let key = authentication.primary_key().filter(|_| !x509).cloned();
        if key.is_none() && !x509 {
            return Err(Error::Configuration(format!(
                "the record of {id} has no keys: they come with the hub's answer, for policies with RegistryRead"
            )));
        }
        Ok(ConnectionString {
            host_name: self.http().host().to_owned(),
            gateway_host_name: None,
            device_id: Some(id.device),
            module_id: id.module,
            policy: None,
            key,
            x509,
        })
    }

    /// How many devices are registered.
    pub async fn device_statistics(&self) -> Result<DeviceStatistics, Error> {
        self.http().fetch(Call::new(Method::GET, "/statistics/devices")).await
    }

    /// Empties a device's cloud-to-device queue.
    pub async fn purge_c2d(&self, device: &DeviceId) -> Result<PurgeResult, Error> {
        self.http()
            .fetch(Call::new(Method::DELETE, format!("{}/commands", device_path(device))))
            .await
    }
}

fn device_path(id: &DeviceId) -> String {
    format!("/devices/{}", percent::encode(id.as_str()))
}

fn module_path(device: &DeviceId, module: &ModuleId) -> String {
    format!("{}/modules/{}", device_path(device), percent::encode(module.as_str()))
}

/// Where the twin and the methods of an identity are.
pub(super) fn twin_path(id: &IdentityId) -> String {
    let device = percent::encode(id.device.as_str());
    match &id.module {
        Some(module) => format!("/twins/{device}/modules/{}", percent::encode(module.as_str())),
        None => format!("/twins/{device}"),
    }
}

//! The shared access policies of a data directory, for the eyes of whoever owns it.

use std::path::Path;

use ironhub_hub::{HubError, settings};
use ironhub_model::{AccessPolicy, ConnectionString, Permission, SymmetricKey};
use ironhub_storage_embedded::{Meta, MetaError, StateLook, StateOpenError};

/// The policies of a hub with their keys, and the hub's name.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPolicies {
    /// The name of the Event Hubs-compatible endpoint.
    pub hub_name: String,
    /// In the order in which the hub lists them.
    pub policies: Vec<AccessPolicy>,
}

/// Why the policies cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadPoliciesError {
    /// The directory's record cannot be read.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// Its state cannot be read.
    #[error(transparent)]
    State(#[from] StateOpenError),
    /// Its settings are damaged.
    #[error(transparent)]
    Settings(#[from] HubError),
}

/// Reads the policies of a data directory, whether a hub runs on it or not. Changes nothing.
pub fn read(directory: &Path) -> Result<StoredPolicies, ReadPoliciesError> {
    let absent = || StateOpenError::Absent { path: directory.into() };
    let look = StateLook::open(directory)?;
    let meta = Meta::look(directory)?.ok_or_else(absent)?;
    let settings = settings::read_stored(|table, key| look.get(table, key).map_err(ReadPoliciesError::from))?;
    Ok(StoredPolicies {
        hub_name: meta.hub_name,
        policies: settings.ok_or_else(absent)?.policies,
    })
}

/// The connection string of a policy's key.
pub fn connection_string(host_name: &str, policy: &str, key: &SymmetricKey) -> String {
    ConnectionString::for_policy(host_name, policy, key.clone()).expose()
}

/// The connection string of a policy's primary key for Event Hubs clients; `None` when it may not read events.
pub fn event_hubs_connection_string(host_name: &str, hub_name: &str, policy: &AccessPolicy) -> Option<String> {
    let may_read = policy.permissions.allows(Permission::ServiceConnect);
    may_read.then(|| event_hubs(host_name, hub_name, (&policy.name, &policy.primary_key)))
}

pub(crate) fn event_hubs(host_name: &str, hub_name: &str, (policy, key): (&str, &SymmetricKey)) -> String {
    let key = key.expose();
    format!("Endpoint=sb://{host_name}/;SharedAccessKeyName={policy};SharedAccessKey={key};EntityPath={hub_name}")
}

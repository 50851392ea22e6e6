//! The shared access policies of an IronHub.

use hyper::Method;
use ironhub_model::{Permissions, SymmetricKey};
use serde::Deserialize;

use super::ServiceClient;
use super::http::Call;
use crate::error::Error;

/// A policy, as far as whoever asks may see it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// What tokens call it.
    pub name: String,
    /// What its holder may do.
    pub permissions: Permissions,
    /// The first key; none unless the caller has every right.
    pub primary_key: Option<SymmetricKey>,
    /// The second key; none unless the caller has every right.
    pub secondary_key: Option<SymmetricKey>,
}

#[derive(Deserialize)]
struct Settings {
    policies: Vec<Policy>,
}

impl ServiceClient {
    /// All policies. Only an IronHub tells them; Azure IoT Hub does so in its management API.
    pub async fn policies(&self) -> Result<Vec<Policy>, Error> {
        let settings: Settings = self
            .http()
            .fetch(Call::new(Method::GET, "/ironhub/v1/settings"))
            .await?;
        Ok(settings.policies)
    }
}

//! Direct methods as the back end calls them.

use std::time::Duration;

use hyper::Method;
use ironhub_model::IdentityId;
use ironhub_model::limits::METHOD_RESPONSE_TIMEOUT_DEFAULT;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ServiceClient;
use super::http::Call;
use super::registry::twin_path;
use crate::error::Error;

/// A call of a direct method.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodInvocation {
    method_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
    response_timeout_in_seconds: u64,
    connect_timeout_in_seconds: u64,
}

/// The device's answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MethodResult {
    /// Of the device's own choice.
    pub status: i32,
    /// `null` when it gave none.
    #[serde(default)]
    pub payload: Value,
}

impl MethodInvocation {
    /// This method, without a payload; the device has 30 seconds to answer and has to be there.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            method_name: name.into(),
            payload: None,
            response_timeout_in_seconds: METHOD_RESPONSE_TIMEOUT_DEFAULT.as_secs(),
            connect_timeout_in_seconds: 0,
        }
    }

    /// What the handler gets: any JSON value, at most 128 KiB of it.
    pub fn payload(mut self, payload: Value) -> Self {
        self.payload = Some(payload);
        self
    }

    /// How long the device may take to answer: 5 to 300 seconds, whole ones.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout_in_seconds = timeout.as_secs();
        self
    }

    /// How long to wait for a device that is not connected: at most 300 seconds, whole ones.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout_in_seconds = timeout.as_secs();
        self
    }
}

impl ServiceClient {
    /// Calls a method of the device `d`, or of its module `d/m`, and waits for the answer.
    ///
    /// # Errors
    ///
    /// With code 404103 when the device is not connected, 504101 when it does not answer in time.
    pub async fn invoke_method(&self, id: &str, invocation: MethodInvocation) -> Result<MethodResult, Error> {
        let id = IdentityId::parse(id).map_err(|error| Error::Configuration(error.to_string()))?;
        let seconds = invocation
            .response_timeout_in_seconds
            .saturating_add(invocation.connect_timeout_in_seconds);
        let call = Call::new(Method::POST, format!("{}/methods", twin_path(&id))).json(&invocation)?;
        self.http().fetch(call.wait_longer(Duration::from_secs(seconds))).await
    }
}

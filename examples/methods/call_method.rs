//! A back end that calls a direct method and prints the device's answer.
//!
//! Usage: `call_method <device ID> <method> [payload, as JSON]`

use std::env;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ironhub_client::{MethodInvocation, ServiceClient};

const USAGE: &str = "usage: call_method <device ID> <method> [payload, as JSON]";

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let device_id = arguments.next().context(USAGE)?;
    let method = arguments.next().context(USAGE)?;
    let payload = arguments.next().unwrap_or_else(|| "null".to_owned());
    let payload = serde_json::from_str(&payload).context("the payload is not JSON")?;
    let connection_string = env::var("IOTHUB_CONNECTION_STRING").context("IOTHUB_CONNECTION_STRING")?;
    let service = ServiceClient::builder(&connection_string)?.build()?;

    let call = MethodInvocation::new(method)
        .payload(payload)
        .response_timeout(Duration::from_secs(30));
    let answer = service.invoke_method(&device_id, call).await?;
    println!("{} {}", answer.status, answer.payload);
    Ok(())
}

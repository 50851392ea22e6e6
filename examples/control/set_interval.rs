//! A back end that tells a weather station how often to send.
//!
//! Usage: `set_interval <device ID> <seconds>`

use std::env;

use anyhow::{Context as _, Result, bail};
use ironhub_client::{MethodInvocation, ServiceClient};
use serde_json::json;

const USAGE: &str = "usage: set_interval <device ID> <seconds>";

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let device_id = arguments.next().context(USAGE)?;
    let seconds: u64 = arguments.next().context(USAGE)?.parse().context(USAGE)?;
    let connection_string = env::var("IOTHUB_CONNECTION_STRING").context("IOTHUB_CONNECTION_STRING")?;
    let service = ServiceClient::builder(&connection_string)?.build()?;

    let call = MethodInvocation::new("SetTelemetryInterval").payload(json!(seconds));
    let answer = service.invoke_method(&device_id, call).await?;
    if answer.status != 200 {
        bail!("{device_id} refused: {} {}", answer.status, answer.payload);
    }
    println!("{device_id} sends every {seconds} s");
    Ok(())
}

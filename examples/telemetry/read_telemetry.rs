//! A back end that reads what a device sends from now on.
//!
//! Usage: `read_telemetry <device ID> [number of messages]`

use std::env;

use anyhow::{Context as _, Result};
use ironhub_client::ServiceClient;
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let device_id = arguments
        .next()
        .context("usage: read_telemetry <device ID> [number of messages]")?;
    let mut left = arguments.next().map_or(Ok(10_u32), |count| count.parse())?;
    let connection_string = env::var("IOTHUB_CONNECTION_STRING").context("IOTHUB_CONNECTION_STRING")?;
    let service = ServiceClient::builder(&connection_string)?.build()?;

    // All partitions of the built-in endpoint; a connection that breaks is made again, and no event is missed.
    let mut events = service.events().connect().await?;
    println!("reading");
    while left > 0 {
        let event = events.next().await?;
        if event.device_id() == Some(&device_id) {
            let body = String::from_utf8_lossy(&event.body);
            let storm = event.properties.get("storm").and_then(Value::as_str);
            println!("{device_id}: {body}, storm: {}", storm.unwrap_or("unknown"));
            left -= 1;
        }
    }
    events.close().await;
    Ok(())
}

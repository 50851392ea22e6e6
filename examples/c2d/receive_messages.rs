//! A device that prints the messages that are sent to it.
//!
//! Usage: `receive_messages [number of messages]`

use std::env;

use anyhow::{Context as _, Result};
use ironhub_client::DeviceClient;

#[tokio::main]
async fn main() -> Result<()> {
    let count = env::args().nth(1).map_or(Ok(1), |count| count.parse::<u32>())?;
    let connection_string = env::var("IOTHUB_DEVICE_CONNECTION_STRING").context("IOTHUB_DEVICE_CONNECTION_STRING")?;
    let device = DeviceClient::builder(&connection_string)?.connect().await?;

    let mut messages = device.c2d().await?;
    println!("ready");
    for _ in 0..count {
        let message = messages.next().await.context("the connection is closed")?;
        println!("received: {}", String::from_utf8_lossy(&message.body));
        for (name, value) in &message.properties {
            println!("  {name}: {value}");
        }
        // Takes it out of the device's queue. A message that is not completed comes again after a reconnect.
        message.complete().await?;
    }
    device.close().await;
    Ok(())
}

//! Registers a device and prints the connection string with which it connects.
//!
//! Usage: `create_device <device ID>`

use std::env;

use anyhow::{Context as _, Result};
use ironhub_client::{Device, DeviceId, ServiceClient};

#[tokio::main]
async fn main() -> Result<()> {
    let device_id = env::args().nth(1).context("usage: create_device <device ID>")?;
    let device_id = DeviceId::parse(&device_id)?;
    let connection_string = env::var("IOTHUB_CONNECTION_STRING").context("IOTHUB_CONNECTION_STRING")?;
    let service = ServiceClient::builder(&connection_string)?.build()?;

    // Without keys of our own choice the hub makes them.
    let device = match service.create_device(&Device::new(device_id.clone())).await {
        // DeviceAlreadyExists
        Err(error) if error.code() == Some(409_001) => service.device(&device_id).await,
        created => created,
    }?;
    println!("{}", service.connection_string(&device)?.expose());
    Ok(())
}

//! A device that can be rebooted from afar. Afterwards it reports when that was, as `rebootTime` in its twin.
//!
//! Usage: `rebooting_device`

use std::env;
use std::future::ready;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use ironhub_client::{DeviceClient, MethodResponse, Timestamp};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<()> {
    let connection_string = env::var("IOTHUB_DEVICE_CONNECTION_STRING").context("IOTHUB_DEVICE_CONNECTION_STRING")?;
    let device = DeviceClient::builder(&connection_string)?.connect().await?;

    let (request_reboot, mut requests) = mpsc::channel(1);
    let handler = device.on_method("rebootDevice", move |_request| {
        // No room: a reboot is requested already.
        let _ = request_reboot.try_send(());
        ready(MethodResponse::from(json!({ "rebooting": true })))
    });
    handler.await?;
    println!("ready");
    requests.recv().await.context("the handler is gone")?;

    // The back end has its answer before the device goes down.
    device.close().await;
    println!("rebooting");
    sleep(Duration::from_secs(1)).await;

    let device = DeviceClient::builder(&connection_string)?.connect().await?;
    let reboot_time = Timestamp::from(SystemTime::now());
    device.update_reported(json!({ "rebootTime": reboot_time })).await?;
    println!("rebooted at {reboot_time}");
    device.close().await;
    Ok(())
}

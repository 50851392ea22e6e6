//! A back end that reboots a device and reads from its twin when it came up again.
//!
//! Usage: `reboot_device <device ID>`

use std::env;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ironhub_client::{Error, IdentityId, MethodInvocation, ServiceClient};
use serde_json::Value;
use tokio::time::{sleep, timeout};

const REBOOT_MAX: Duration = Duration::from_mins(1);

#[tokio::main]
async fn main() -> Result<()> {
    let device_id = env::args().nth(1).context("usage: reboot_device <device ID>")?;
    let connection_string = env::var("IOTHUB_CONNECTION_STRING").context("IOTHUB_CONNECTION_STRING")?;
    let service = ServiceClient::builder(&connection_string)?.build()?;
    let id = IdentityId::parse(&device_id)?;
    let before = reboot_time(&service, &id).await?;

    let answer = service
        .invoke_method(&device_id, MethodInvocation::new("rebootDevice"))
        .await?;
    println!("{} {}", answer.status, answer.payload);

    let rebooted = timeout(REBOOT_MAX, async {
        loop {
            match reboot_time(&service, &id).await? {
                Some(time) if Some(&time) != before.as_ref() => return Ok::<_, Error>(time),
                _ => sleep(Duration::from_millis(500)).await,
            }
        }
    });
    let reboot_time = rebooted.await.context("the device has not come up again")??;
    println!("last reboot: {reboot_time}");
    Ok(())
}

async fn reboot_time(service: &ServiceClient, id: &IdentityId) -> Result<Option<String>, Error> {
    let twin = service.twin(id).await?;
    let time = twin.properties.reported.get("rebootTime").and_then(Value::as_str);
    Ok(time.map(str::to_owned))
}

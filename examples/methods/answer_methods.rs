//! A device that answers the direct method `writeLine` by writing a line.
//!
//! Usage: `answer_methods [number of calls]`

use std::env;

use anyhow::{Context as _, Result};
use ironhub_client::{DeviceClient, MethodResponse};
use serde_json::json;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<()> {
    let count = env::args().nth(1).map_or(Ok(1), |count| count.parse::<u32>())?;
    let connection_string = env::var("IOTHUB_DEVICE_CONNECTION_STRING").context("IOTHUB_DEVICE_CONNECTION_STRING")?;
    let device = DeviceClient::builder(&connection_string)?.connect().await?;

    let (write, mut lines) = mpsc::channel::<String>(16);
    // Methods that nobody handles are answered with status 501.
    let handler = device.on_method("writeLine", move |request| {
        let write = write.clone();
        async move {
            let Ok(line) = request.json() else {
                return MethodResponse::json(400, &json!({ "error": "the payload is a line of text" }));
            };
            match write.send(line).await {
                Ok(()) => MethodResponse::from(json!({ "written": true })),
                Err(_) => MethodResponse::json(503, &json!({ "error": "the device goes down" })),
            }
        }
    });
    handler.await?;
    println!("ready");

    for _ in 0..count {
        let line = lines.recv().await.context("the handler is gone")?;
        println!("line: {line}");
    }
    device.close().await; // Lets the last answer out.
    Ok(())
}

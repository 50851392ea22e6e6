//! What every adapter of a port does, whatever it is made of.

mod device_bus;
mod event_log;
mod state_store;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

pub use device_bus::device_bus;
pub use event_log::event_log;
pub use state_store::state_store;

/// Lets the future begin, or go on, without waiting for it.
async fn is_over<T>(mut future: Pin<&mut impl Future<Output = T>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

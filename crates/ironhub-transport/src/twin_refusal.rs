//! Twin requests of devices that the hub refuses, whatever they came over.

use ironhub_dialect::https::error::ErrorBody;
use ironhub_hub::{Hub, HubError, Ports};
use ring::rand::{SecureRandom, SystemRandom};
use tracing::debug;

use crate::error::wire_error;

/// The status and the body of the answer. The Node SDK looks for `errorCode` in the body and at nothing else.
pub(crate) fn refusal<P: Ports>(hub: &Hub<P>, error: &HubError) -> (u16, String) {
    let wire = wire_error(error);
    let tracking_id = tracking_id();
    debug!(tracking_id, %error, "twin request refused");
    let body = ErrorBody {
        code: wire.code,
        name: wire.name,
        message: &error.to_string(),
        tracking_id: &tracking_id,
        at: hub.now(),
        waited: None,
    };
    (wire.status(), body.bare())
}

/// 32 random hexadecimal digits, which lead from a device's log to the hub's.
fn tracking_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the digits are zeros: the answer matters more.
    let _ = SystemRandom::new().fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

//! Cloud-to-device mailboxes.

use ironhub_model::DeviceId;

use crate::ports::Key;

/// The mailbox that is a device's queue. Deleting the device clears it.
pub(crate) fn mailbox_key(device: &DeviceId) -> Key {
    Key::new(format!("c2d/{device}"))
}

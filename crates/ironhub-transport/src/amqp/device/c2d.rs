//! Cloud-to-device messages to the device.

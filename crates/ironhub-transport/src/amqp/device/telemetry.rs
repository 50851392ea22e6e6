//! Messages from the device.

//! The twin: requests of the device, and changes of its desired properties.

//! MQTT against a whole hub: a real listener, real sockets, storage in memory.

#[cfg(test)]
#[expect(dead_code, reason = "shared with the suite about TLS, which needs more of it")]
#[path = "../transport/certificates.rs"]
mod certificates;
#[cfg(test)]
mod client;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod delivery;
#[cfg(test)]
#[cfg(test)]
mod hub;
#[cfg(test)]
mod notation;
#[cfg(test)]
mod secure;
#[cfg(test)]
mod transcripts;

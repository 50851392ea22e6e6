//! MQTT against a whole hub: a real listener, real sockets, storage in memory.

#[cfg(test)]
mod client;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod held_log;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod notation;
#[cfg(test)]
mod transcripts;

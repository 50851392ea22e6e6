//! The HTTPS API as clients see it: bytes over TLS on one side, a hub over storage in memory on the other.

#[cfg(test)]
mod c2d;
#[cfg(test)]
mod consumer_groups;
#[cfg(test)]
mod events;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod json_pattern;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod query;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod stall;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod twin;
#[cfg(test)]
mod wire;

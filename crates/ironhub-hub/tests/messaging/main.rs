//! The messaging half of the hub over in-memory ports, with time that stands still unless a test waits.

#[cfg(test)]
mod amqp;
#[cfg(test)]
mod c2d;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod events;
#[cfg(test)]
mod feedback;
#[cfg(test)]
mod health;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod ports;
#[cfg(test)]
mod query;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod world;

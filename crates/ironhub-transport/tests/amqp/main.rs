//! AMQP against a whole hub: a real listener, real sockets, storage in memory.

#[cfg(test)]
mod c2d_send;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod client;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod device;
#[cfg(test)]
mod events;
#[cfg(test)]
mod feedback;
#[cfg(test)]
mod golden;
#[cfg(test)]
#[path = "../mqtt/held_log.rs"]
mod held_log;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod links;
#[cfg(test)]
mod management;
#[cfg(test)]
mod tokens;

//! Real sockets on the loopback interface.

#[cfg(test)]
mod certificates;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod web_socket;

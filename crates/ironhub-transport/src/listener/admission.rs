use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ironhub_model::limits::{CONNECTIONS_MAX, UNAUTHENTICATED_CONNECTIONS_MAX, UNAUTHENTICATED_PER_ADDRESS_MAX};
use parking_lot::Mutex;

/// How many connections a process carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// All of them.
    pub connections_max: usize,
    /// Strangers: peers that have not proved who they are.
    pub unauthenticated_max: usize,
    /// Strangers of one address; of one /64 network for IPv6, where a host has as many addresses as it likes.
    pub unauthenticated_per_address_max: usize,
}

/// Counts the connections of a process against their bounds.
#[derive(Debug)]
pub struct Admissions {
    limits: AdmissionLimits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    strangers: usize,
    strangers_by_address: HashMap<IpAddr, usize>,
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
pub struct Admission {
    admissions: Arc<Admissions>,
    address: IpAddr,
    port: &'static str,
    is_stranger: AtomicBool,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            unauthenticated_max: UNAUTHENTICATED_CONNECTIONS_MAX,
            unauthenticated_per_address_max: UNAUTHENTICATED_PER_ADDRESS_MAX,
        }
    }
}

impl Admissions {
    /// No connection yet.
    pub fn new(limits: AdmissionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            counts: Mutex::default(),
        })
    }

    /// Takes a place for a connection from this address, or says which bound is reached.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, port: &'static str) -> Result<Admission, &'static str> {
        let address = network(address);
        self.counts.lock().admit(address, &self.limits)?;
        metrics::counter!("ironhub_connections_accepted_total", "port" => port).increment(1);
        metrics::gauge!("ironhub_connections", "port" => port).increment(1);
        Ok(Admission {
            admissions: Arc::clone(self),
            address,
            port,
            is_stranger: AtomicBool::new(true),
        })
    }
}

impl Admission {
    /// No stranger any more.
    pub(crate) fn authenticated(&self) {
        if self.is_stranger.swap(false, Ordering::Relaxed) {
            self.admissions.counts.lock().release_stranger(self.address);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.authenticated();
        self.admissions.counts.lock().connections -= 1;
        metrics::gauge!("ironhub_connections", "port" => self.port).decrement(1);
    }
}

impl Counts {
    fn admit(&mut self, address: IpAddr, limits: &AdmissionLimits) -> Result<(), &'static str> {
        if self.connections >= limits.connections_max {
            return Err("connections_max");
        }
        if self.strangers >= limits.unauthenticated_max {
            return Err("unauthenticated_max");
        }
        let here = self.strangers_by_address.entry(address).or_default();
        if *here >= limits.unauthenticated_per_address_max {
            return Err("unauthenticated_per_address_max");
        }
        *here += 1;
        self.strangers += 1;
        self.connections += 1;
        Ok(())
    }

    fn release_stranger(&mut self, address: IpAddr) {
        self.strangers -= 1;
        if let Some(here) = self.strangers_by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                self.strangers_by_address.remove(&address);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admissions() -> Arc<Admissions> {
        Admissions::new(AdmissionLimits {
            connections_max: 5,
            unauthenticated_max: 3,
            unauthenticated_per_address_max: 2,
        })
    }

    fn from(admissions: &Arc<Admissions>, address: &str) -> Result<Admission, &'static str> {
        admissions.admit(address.parse().unwrap(), "mqtt")
    }

    #[test]
    fn strangers_are_bounded_by_address_and_in_all() {
        let admissions = admissions();
        let _first = from(&admissions, "10.0.0.1").unwrap();
        let second = from(&admissions, "10.0.0.1").unwrap();
        assert_eq!(
            from(&admissions, "10.0.0.1").unwrap_err(),
            "unauthenticated_per_address_max"
        );
        assert_eq!(
            from(&admissions, "::ffff:10.0.0.1").unwrap_err(),
            "unauthenticated_per_address_max"
        );
        let _third = from(&admissions, "10.0.0.2").unwrap();
        assert_eq!(from(&admissions, "10.0.0.3").unwrap_err(), "unauthenticated_max");
        drop(second);
        assert!(from(&admissions, "10.0.0.1").is_ok());
    }

    #[test]
    fn the_known_count_in_all_only() {
        let admissions = admissions();
        let known: Vec<Admission> = (0..5)
            .map(|_| {
                let admission = from(&admissions, "10.0.0.1").unwrap();
                admission.authenticated();
                admission
            })
            .collect();
        assert_eq!(from(&admissions, "10.0.0.1").unwrap_err(), "connections_max");
        drop(known);
        let counts = admissions.counts.lock();
        assert_eq!((counts.connections, counts.strangers), (0, 0));
        assert!(counts.strangers_by_address.is_empty());
    }

    #[test]
    fn neighbours_of_an_ipv6_network_are_one_address() {
        let admissions = admissions();
        let _first = from(&admissions, "2001:db8::1").unwrap();
        let _second = from(&admissions, "2001:db8::2").unwrap();
        assert!(from(&admissions, "2001:db8::3").is_err());
        assert!(from(&admissions, "2001:db8:0:1::3").is_ok());
    }
}

//! Addresses of the loopback network, one for each Pod.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;

/// 127.x.y.0/24, where x and y are the API server's port: who holds the port holds the network.
pub(super) struct Addresses {
    port: u16,
    taken: Mutex<BTreeSet<u8>>,
}

/// An address that nobody else has until this is dropped.
pub(super) struct Address {
    pool: Arc<Addresses>,
    last: u8,
}

impl Addresses {
    pub(super) fn new(port: u16) -> Arc<Self> {
        Arc::new(Self { port, taken: Mutex::default() })
    }

    pub(super) fn take(self: &Arc<Self>) -> anyhow::Result<Address> {
        let mut taken = self.taken.lock().expect("no holder can have panicked");
        let last = (1..255).find(|last| !taken.contains(last));
        let last = last.context("254 Pods are running already")?;
        taken.insert(last);
        Ok(Address { pool: Arc::clone(self), last })
    }
}

impl Address {
    pub(super) fn ip(&self) -> IpAddr {
        let [high, low] = self.pool.port.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(127, high, low, self.last))
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let mut taken = self.pool.taken.lock().expect("no holder can have panicked");
        taken.remove(&self.last);
    }
}

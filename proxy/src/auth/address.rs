//! Whom a request comes from, where proxies stand in between.

use std::{
    net::{IpAddr, SocketAddr},
    str,
};

use http::{HeaderMap, HeaderName};
use ipnet::{IpNet, Ipv4Net};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies whose word is taken for whom they pass requests on for (`--trusted-proxies`).
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        Self(networks.iter().copied().map(canonical).collect())
    }

    /// The right-most address of `x-forwarded-for` that is no trusted proxy's, if the peer is one; else the peer. What stands
    /// left of that was written by whoever sent the request. Where an entry can't be read, nobody knows who wrote it.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        for entry in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
            if !self.trusts(client) {
                break;
            }
            let Some(address) = address(entry) else { break };
            client = address;
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An entry: an address, which some proxies write with the port of the connection.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = || text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// A network of IPv4 that is written in IPv6 is one of IPv4, as such addresses are.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let networks: Vec<IpNet> = trusted.iter().map(|text| text.parse().expect("must be a network")).collect();
        let lines = lines.iter().map(|line| (FORWARDED_FOR, line.parse().expect("must be a header's value")));
        let peer = peer.parse().expect("must be an address");
        TrustedProxies::new(&networks).client(peer, &lines.collect()).to_string()
    }

    #[test]
    fn where_nobody_is_trusted_or_another_is_the_peer_s_word_changes_nothing() {
        let spoofed = &["1.2.3.4", "10.0.0.1"];
        assert_eq!(client(&[], "10.0.0.1", spoofed), "10.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", spoofed), "192.0.2.1");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_trusted_proxy_s_client_is_the_right_most_address_that_is_not_trusted() {
        let trusted = &["10.0.0.0/8", "fd00::/8"];
        let rows: [(&str, &[&str], &str); 10] = [
            ("10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["6.6.6.6, 192.0.2.7,10.0.0.3 ,\t10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", &["6.6.6.6, 192.0.2.7", "10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["192.0.2.7:4711"], "192.0.2.7"),
            ("fd00::1", &["[2001:db8::7]:4711, fd00::2"], "2001:db8::7"),
            ("fd00::1", &["2001:db8::7, [fd00::2]"], "2001:db8::7"),
            ("::ffff:10.0.0.1", &["::ffff:192.0.2.7"], "192.0.2.7"),
            ("::ffff:192.0.2.7", &["6.6.6.6"], "192.0.2.7"),
        ];
        for (peer, lines, expected) in rows {
            assert_eq!(client(trusted, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn what_can_t_be_read_ends_the_walk_at_the_last_good_address() {
        for unreadable in ["unknown", "", "10.0.0", "10.0.0.9.9", "_hidden", "\u{e9}"] {
            let lines = &[&format!("6.6.6.6, {unreadable}, 10.0.0.2")[..]];
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", lines), "10.0.0.2", "{unreadable}");
        }
    }

    #[test]
    fn networks_of_ipv4_may_be_written_in_ipv6() {
        assert_eq!(client(&["::ffff:10.0.0.0/104"], "10.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(client(&["::/0"], "10.0.0.1", &["192.0.2.7"]), "10.0.0.1");
    }
}

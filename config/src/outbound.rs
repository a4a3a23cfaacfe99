//! Where requests may go: judged on URLs by `compile`, and on addresses by the proxy when it connects.

use std::net::IpAddr;

use ipnet::IpNet;
use penstock_crds::ProviderType;
use url::{Host, Url};

/// The outbound rules of an installation.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    /// Loopback may be called: true where resources come from a folder.
    pub loopback: bool,
    /// Networks for which the rules are lifted (`--allow-upstream`).
    pub allow: Vec<IpNet>,
    /// Addresses that are never called unless allowed: the API server.
    pub deny: Vec<IpAddr>,
}

impl Outbound {
    /// May a connection be opened to this address? Asked after DNS, so a name can't get around it.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.allow.iter().any(|net| net.contains(&address)) {
            return true;
        }
        if self.deny.contains(&address) || address.is_unspecified() || address.is_multicast() {
            return false;
        }
        (self.loopback || !address.is_loopback()) && !is_link_local(address)
    }

    /// Judges a provider's base URL. The error says what is wrong and what to do.
    pub fn judge(&self, url: &Url, provider: ProviderType) -> Result<(), String> {
        let address = self.address(url)?;
        let own_server = matches!(provider, ProviderType::Ollama | ProviderType::OpenAICompatible);
        if url.scheme() == "http" && !own_server && !self.plain_text(address) {
            return Err(format!(
                "http:// would send the key in clear text to {}; use https://",
                url.host_str().unwrap_or_default()
            ));
        }
        Ok(())
    }

    /// Judges where the keys of an issuer of tokens come from, as a provider's base URL is.
    pub fn judge_jwks(&self, url: &Url) -> Result<(), String> {
        let address = self.address(url)?;
        if url.scheme() != "https" && !self.plain_text(address) {
            return Err(format!(
                "whoever stands between here and {} could put keys of their own in http://; use https://",
                url.host_str().unwrap_or_default()
            ));
        }
        Ok(())
    }

    /// The address that a URL names by itself, where it may be called.
    fn address(&self, url: &Url) -> Result<Option<IpAddr>, String> {
        let address = match url.host() {
            None => return Err(format!("\"{url}\" has no host")),
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(name)) if is_localhost(name) => Some(IpAddr::from([127, 0, 0, 1])),
            Some(Host::Domain(_)) => None,
        };
        if let Some(address) = address
            && !self.permits(address)
        {
            return Err(format!(
                "{address} is not allowed as an upstream; start with --allow-upstream {address} to permit it"
            ));
        }
        Ok(address)
    }

    /// Plain HTTP is for servers that people run themselves, and for addresses they permitted by hand.
    fn plain_text(&self, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| {
            (self.loopback && address.is_loopback()) || self.allow.iter().any(|net| net.contains(&address))
        })
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Outbound {
        Outbound { loopback: false, allow: vec![], deny: vec![IpAddr::from([10, 96, 0, 1])] }
    }

    fn judge(outbound: &Outbound, url: &str, provider: ProviderType) -> Result<(), String> {
        outbound.judge(&Url::parse(url).expect("must be a URL"), provider)
    }

    #[test]
    fn in_a_cluster_loopback_link_local_and_the_api_server_are_refused() {
        for address in ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "10.96.0.1", "0.0.0.0", "::ffff:127.0.0.1"] {
            let address: IpAddr = address.parse().expect("must be an address");
            assert!(!cluster().permits(address), "{address}");
        }
        for address in ["10.0.0.5", "192.168.1.1", "1.1.1.1", "fd00::1"] {
            let address: IpAddr = address.parse().expect("must be an address");
            assert!(cluster().permits(address), "{address}");
        }
    }

    #[test]
    fn an_allowed_network_lifts_every_rule() {
        let outbound = Outbound { allow: vec!["127.0.0.0/8".parse().expect("must be a network")], ..cluster() };
        assert_eq!(judge(&outbound, "http://127.0.0.1:9000/v1", ProviderType::OpenAI), Ok(()));
        assert!(!outbound.permits(IpAddr::from([169, 254, 1, 1])));
    }

    #[test]
    fn plain_http_is_for_own_servers_and_for_loopback_in_a_folder() {
        let folder = Outbound { loopback: true, ..Outbound::default() };
        assert_eq!(judge(&folder, "http://localhost:9000/v1", ProviderType::OpenAI), Ok(()));
        assert_eq!(judge(&cluster(), "http://vllm.ai:8000/v1", ProviderType::OpenAICompatible), Ok(()));
        let refused = judge(&cluster(), "http://api.openai.com/v1", ProviderType::OpenAI);
        assert!(refused.is_err_and(|why| why.contains("use https://")));
    }

    #[test]
    fn keys_of_issuers_come_by_https_or_from_addresses_permitted_by_hand() {
        let judge = |outbound: &Outbound, url: &str| outbound.judge_jwks(&Url::parse(url).expect("must be a URL"));
        let folder = Outbound { loopback: true, ..Outbound::default() };
        assert_eq!(judge(&cluster(), "https://id.example.com/keys"), Ok(()));
        assert_eq!(judge(&folder, "http://localhost:8080/keys"), Ok(()));
        assert!(judge(&folder, "http://id.example.com/keys").is_err_and(|why| why.contains("use https://")));
        assert!(judge(&cluster(), "https://169.254.169.254/keys").is_err_and(|why| why.contains("--allow-upstream")));
    }
}

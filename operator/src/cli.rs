//! The command line. Every setting is a flag with an environment variable of the same name.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use penstock_config::protocol::AUDIENCE;

/// Penstock's control plane: turns custom resources into what the proxies run, and says on each what really happened.
#[derive(Debug, Parser)]
#[command(name = "penstock-operator", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the controller
    Run(Box<Run>),
    /// Print the CustomResourceDefinitions as YAML
    Crds,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Run {
    /// The namespace that the operator and the proxies run in
    #[arg(long, env = "PENSTOCK_NAMESPACE", default_value = "penstock")]
    pub(crate) namespace: String,
    /// Namespaces whose objects may claim bare model names; default: the operator's own
    #[arg(long, env = "PENSTOCK_PLATFORM_NAMESPACES", value_delimiter = ',')]
    pub(crate) platform_namespaces: Vec<String>,
    /// The installation: objects with another `spec.gateway` are not looked at
    #[arg(long, env = "PENSTOCK_GATEWAY", default_value = "default")]
    pub(crate) gateway: String,
    /// Namespaces to watch; default: all
    #[arg(long, env = "PENSTOCK_WATCH_NAMESPACES", value_delimiter = ',')]
    pub(crate) watch_namespaces: Vec<String>,
    /// Where proxies fetch snapshots (TLS)
    #[arg(long, env = "PENSTOCK_PUSH", default_value = "0.0.0.0:8443")]
    pub(crate) push: SocketAddr,
    /// Metrics and health
    #[arg(long, env = "PENSTOCK_ADMIN", default_value = "0.0.0.0:8081")]
    pub(crate) admin: SocketAddr,
    /// Labels of the proxy pods
    #[arg(long, env = "PENSTOCK_PROXY_SELECTOR", default_value = "app.kubernetes.io/component=proxy")]
    pub(crate) proxy_selector: String,
    /// The ServiceAccount of the proxy pods
    #[arg(long, env = "PENSTOCK_PROXY_SERVICE_ACCOUNT", default_value = "penstock-proxy")]
    pub(crate) proxy_service_account: String,
    /// Names and addresses by which proxies reach this operator; they go into its certificate
    #[arg(long = "tls-name", env = "PENSTOCK_TLS_NAME", value_delimiter = ',', required = true)]
    pub(crate) tls_names: Vec<String>,
    /// The Lease that elects the leader
    #[arg(long, env = "PENSTOCK_LEASE_NAME", default_value = "penstock-operator")]
    pub(crate) lease_name: String,
    /// Who this process is in the election: its pod's name, unique among the replicas
    #[arg(long, env = "PENSTOCK_IDENTITY")]
    pub(crate) identity: String,
    /// Where proxies find this process while it leads, for followers to name; default: the push address, if it is one
    #[arg(long, env = "PENSTOCK_ADVERTISE")]
    pub(crate) advertise: Option<SocketAddr>,
    /// Networks that providers may be in although the outbound rules refuse them
    #[arg(long, env = "PENSTOCK_ALLOW_UPSTREAM", value_delimiter = ',')]
    pub(crate) allow_upstream: Vec<IpNet>,
    /// A CA that upstreams are trusted by; the same flag as the proxies'. Nothing is called from here
    #[arg(long, env = "PENSTOCK_UPSTREAM_CA")]
    pub(crate) upstream_ca: Option<PathBuf>,
    /// The audience that the tokens of callers' ServiceAccounts must be for
    #[arg(long, env = "PENSTOCK_TOKEN_AUDIENCE", default_value = "llm.penstock.dev", value_parser = audience)]
    pub(crate) token_audience: String,
    /// Whether the published snapshot is also kept in a Secret that proxies can start from
    #[arg(long, env = "PENSTOCK_STORE_SNAPSHOT", default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) store_snapshot: bool,
    /// What to log, as in `info` or `penstock_operator=debug`
    #[arg(long, env = "PENSTOCK_LOG", default_value = "info")]
    pub(crate) log: String,
}

impl Run {
    /// Where objects may claim bare names.
    pub(crate) fn platform_namespaces(&self) -> impl Iterator<Item = String> + '_ {
        let own = self.platform_namespaces.is_empty().then(|| self.namespace.clone());
        self.platform_namespaces.iter().cloned().chain(own)
    }

    /// The username of the proxies' tokens.
    pub(crate) fn proxy_username(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.proxy_service_account)
    }

    /// What followers name while this process leads; none if nothing is known that others could connect to.
    pub(crate) fn address(&self, bound: SocketAddr) -> Option<SocketAddr> {
        self.advertise.or_else(|| (!bound.ip().is_unspecified()).then_some(bound))
    }
}

/// Not the one of the push channel: who may send requests may not read keys, and the other way round.
fn audience(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("must not be empty".to_owned()),
        AUDIENCE => Err(format!("must not be {AUDIENCE:?}, which opens the channel that keys travel on")),
        audience => Ok(audience.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_has_a_variable_of_its_name() {
        let cli = Cli::command();
        let run = cli.find_subcommand("run").expect("must be there");
        for flag in run.get_arguments().filter(|flag| !flag.is_global_set() && flag.get_id() != "help") {
            let name = flag.get_long().expect("must have a long name").to_uppercase().replace('-', "_");
            let variable = flag.get_env().and_then(|variable| variable.to_str());
            assert_eq!(variable, Some(format!("PENSTOCK_{name}").as_str()));
        }
    }
    #[test]
    fn callers_tokens_and_proxies_tokens_have_different_audiences() {
        let parse = |audience: &str| {
            let given = ["penstock-operator", "run", "--tls-name=a", "--identity=a", "--token-audience", audience];
            Cli::try_parse_from(given).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(parse("llm.example.com"), Ok(()));
        assert!(parse(AUDIENCE).is_err_and(|error| error.contains("which opens the channel")));
        assert!(parse(" ").is_err());
    }
}

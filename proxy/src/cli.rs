//! The command line. Every setting is a flag with an environment variable of the same name.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use penstock_config::{Settings, outbound::Outbound};
use penstock_proxy::Pace;
use url::Url;

/// The data plane of Penstock, an AI gateway.
#[derive(Debug, Parser)]
#[command(name = "penstock-proxy", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the unified API, with resources from a folder or from the operator
    Serve(Box<Serve>),
    /// Print the operator's verdicts on a folder of resources; exit 1 when something is refused
    Check(Check),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("source").required(true).args(["resources", "operator"])))]
pub(crate) struct Serve {
    /// Read resources from this folder, again whenever a file in it changes
    #[arg(long, value_name = "DIR", env = "PENSTOCK_RESOURCES")]
    pub(crate) resources: Option<PathBuf>,

    /// Take resources from the operator at this https:// URL; repeat for several
    #[arg(long, value_name = "URL", env = "PENSTOCK_OPERATOR", value_delimiter = ',', value_parser = operator_url)]
    pub(crate) operator: Vec<Url>,

    /// Where the unified API is served
    #[arg(long, value_name = "ADDRESS", env = "PENSTOCK_LISTEN", default_value = "0.0.0.0:8000")]
    pub(crate) listen: SocketAddr,

    /// Where /metrics, /healthz, /readyz and /config are served
    #[arg(long, value_name = "ADDRESS", env = "PENSTOCK_ADMIN", default_value = "0.0.0.0:8081")]
    pub(crate) admin: SocketAddr,

    /// Whether callers must be known Consumers
    #[arg(long, value_name = "MODE", env = "PENSTOCK_AUTH", default_value = "required")]
    pub(crate) auth: Auth,

    /// Networks of proxies whose `x-forwarded-for` says whom a request comes from; repeat for several
    #[arg(long, value_name = "CIDR", env = "PENSTOCK_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub(crate) trusted_proxies: Vec<IpNet>,

    /// Data threads; the number of cores that the process may use, if absent
    #[arg(long, value_name = "N", env = "PENSTOCK_WORKERS")]
    pub(crate) workers: Option<NonZeroUsize>,

    /// The largest request body, in bytes
    #[arg(long, value_name = "BYTES", env = "PENSTOCK_MAX_BODY", default_value_t = 32 << 20)]
    pub(crate) max_body: usize,

    /// Requests that are answered at once, streams included; one more gets a 503
    #[arg(long, value_name = "N", env = "PENSTOCK_MAX_REQUESTS", default_value = "10000")]
    pub(crate) max_requests: NonZeroUsize,

    /// Connections of clients, idle ones included; one more gets a 503. Half the limit of descriptors, if absent
    #[arg(long, value_name = "N", env = "PENSTOCK_MAX_CONNECTIONS")]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// Bytes of bodies that are held at once, of requests and of whole answers; a request for whose body there is no room gets a 503
    #[arg(long, value_name = "BYTES", env = "PENSTOCK_MAX_HELD", default_value_t = 256 << 20)]
    pub(crate) max_held: usize,

    /// How long a stream may be silent before its client is sent a head, and from then on a comment this often
    #[arg(long, value_name = "TIME", env = "PENSTOCK_HOLD_HEAD", default_value = "15s", value_parser = humantime::parse_duration)]
    pub(crate) hold_head: Duration,

    /// For tests: all waits last this share of what is written
    #[arg(long, value_name = "SHARE", env = "PENSTOCK_PACE", default_value = "1", value_parser = pace, hide = true)]
    pub(crate) pace: Pace,

    /// A file of CAs, PEM, that upstreams may use beside the public ones
    #[arg(long, value_name = "FILE", env = "PENSTOCK_UPSTREAM_CA")]
    pub(crate) upstream_ca: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) own: Own,

    #[command(flatten)]
    pub(crate) installation: Installation,

    #[command(flatten)]
    pub(crate) push: Push,

    /// With --resources: the file in which budgets are kept while there is no Redis; one for each folder of resources in the user's state
    /// folder, if absent
    #[arg(long, value_name = "FILE", env = "PENSTOCK_STATE", conflicts_with = "operator")]
    pub(crate) state: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) redis: Redis,

    /// How long requests in flight may take to finish after SIGTERM
    #[arg(long, value_name = "TIME", env = "PENSTOCK_DRAIN_DEADLINE", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) drain_deadline: Duration,

    /// How long new requests are still taken after SIGTERM, while /readyz already fails; 5s with --operator, else 0s
    #[arg(long, value_name = "TIME", env = "PENSTOCK_DRAIN_GRACE", value_parser = humantime::parse_duration)]
    pub(crate) drain_grace: Option<Duration>,

    #[command(flatten)]
    pub(crate) log: Log,
}

/// What the operator and a proxy that reads a folder must agree on.
#[derive(Debug, Args)]
pub(crate) struct Installation {
    /// Look only at objects with this `spec.gateway`
    #[arg(long, value_name = "NAME", env = "PENSTOCK_GATEWAY", default_value = penstock_crds::DEFAULT_GATEWAY)]
    pub(crate) gateway: String,

    /// Namespaces whose objects may claim bare model names and `*`, and define Consumers for everyone
    #[arg(
        long,
        value_name = "NAMES",
        env = "PENSTOCK_PLATFORM_NAMESPACES",
        value_delimiter = ',',
        default_value = "default"
    )]
    pub(crate) platform_namespaces: Vec<String>,

    /// Lift the outbound rules for these networks; repeat for several
    #[arg(long, value_name = "CIDR", env = "PENSTOCK_ALLOW_UPSTREAM", value_delimiter = ',', value_parser = network)]
    pub(crate) allow_upstream: Vec<IpNet>,
}

/// What users know better than the proxy.
#[derive(Debug, Args)]
pub(crate) struct Own {
    /// A YAML file of own prices and facts of models, read again when it changes
    #[arg(long, value_name = "FILE", env = "PENSTOCK_MODEL_FACTS")]
    pub(crate) model_facts: Option<PathBuf>,
}

/// How the operator is reached.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The CAs of the operator, PEM; read again on every connection
    #[arg(long, value_name = "FILE", env = "PENSTOCK_OPERATOR_CA", requires = "operator")]
    pub(crate) operator_ca: Option<PathBuf>,

    /// The token shown to the operator; read again on every connection
    #[arg(long, value_name = "FILE", env = "PENSTOCK_TOKEN_FILE", requires = "operator")]
    pub(crate) token_file: Option<PathBuf>,

    /// The folder of the stored snapshot, to start from when no operator answers
    #[arg(long, value_name = "DIR", env = "PENSTOCK_STORED_SNAPSHOT", requires = "operator")]
    pub(crate) stored_snapshot: Option<PathBuf>,
}

/// Where proxies share their limits.
#[derive(Debug, Args)]
pub(crate) struct Redis {
    /// A Redis in which proxies share limits, redis:// or rediss:// for TLS, with a password where it needs one; repeat for several servers of a
    /// cluster. Without one each proxy keeps its part of every limit in memory
    #[arg(long, value_name = "URL", env = "PENSTOCK_REDIS", value_delimiter = ',', hide_env_values = true)]
    pub(crate) redis: Vec<String>,

    /// The Redis is a cluster
    #[arg(long, env = "PENSTOCK_REDIS_CLUSTER", requires = "redis")]
    pub(crate) redis_cluster: bool,

    /// The CAs of the Redis, PEM, in place of the public ones
    #[arg(long, value_name = "FILE", env = "PENSTOCK_REDIS_CA", requires = "redis")]
    pub(crate) redis_ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    /// How lines are written; `text` on a terminal, else `json`
    #[arg(long = "log", value_name = "FORMAT", env = "PENSTOCK_LOG")]
    pub(crate) format: Option<LogFormat>,

    /// What is logged: a level, or directives such as `info,penstock_proxy=debug`
    #[arg(long = "log-level", value_name = "LEVEL", env = "PENSTOCK_LOG_LEVEL", default_value = "info")]
    pub(crate) level: String,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The folder of resources
    pub(crate) resources: PathBuf,

    /// How verdicts are printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,

    #[command(flatten)]
    pub(crate) own: Own,

    #[command(flatten)]
    pub(crate) installation: Installation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    /// Callers show the key of a Consumer
    Required,
    /// Everyone may call; for a laptop
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

impl Installation {
    /// The settings of a folder: as the operator's, but loopback may be called.
    pub(crate) fn folder_settings(&self) -> Settings {
        Settings {
            gateway: self.gateway.clone(),
            platform_namespaces: self.platform_namespaces.iter().cloned().collect(),
            outbound: Outbound { loopback: true, allow: self.allow_upstream.clone(), deny: vec![] },
        }
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "must be a network such as 10.0.0.0/8, or an address".to_owned())
}

fn pace(text: &str) -> Result<Pace, String> {
    let share = text.parse().ok().and_then(Pace::new);
    share.ok_or_else(|| "must be a positive number".to_owned())
}

/// Keys travel on this channel, so it is TLS or nothing.
fn operator_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if url.scheme() != "https" || !url.has_host() {
        return Err("must be https:// with a host: keys travel on this channel".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["penstock-proxy"], arguments].concat())
    }

    fn refusal(arguments: &[&str]) -> String {
        parse(arguments).expect_err("must be refused").to_string()
    }

    #[test]
    fn every_flag_has_an_environment_variable_of_its_name() {
        use clap::CommandFactory;
        let cli = Cli::command();
        let serve = cli.find_subcommand("serve").expect("must have `serve`");
        for argument in serve.get_arguments().filter(|argument| argument.get_id() != "help") {
            let flag = argument.get_long().expect("must be a long flag");
            let variable = format!("PENSTOCK_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(variable.as_str()), "--{flag}");
        }
    }

    #[test]
    fn serving_needs_one_source_and_only_one() {
        assert!(refusal(&["serve"]).contains("--resources"));
        let both = refusal(&["serve", "--resources", "x", "--operator", "https://operator"]);
        assert!(both.contains("cannot be used with"), "{both}");
    }

    #[test]
    fn an_operator_without_tls_is_refused() {
        assert!(refusal(&["serve", "--operator", "http://operator:8443"]).contains("must be https://"));
    }

    #[test]
    fn a_lone_address_is_a_network_of_one() {
        let networks = ["10.0.0.1,10.1.0.0/16"; 2];
        let given = ["serve", "--resources", "x", "--allow-upstream", networks[0], "--trusted-proxies", networks[1]];
        let cli = parse(&given).expect("must parse");
        let Command::Serve(serve) = cli.command else { panic!("must be `serve`") };
        for networks in [&serve.installation.allow_upstream, &serve.trusted_proxies] {
            let networks: Vec<_> = networks.iter().map(IpNet::to_string).collect();
            assert_eq!(networks, ["10.0.0.1/32", "10.1.0.0/16"]);
        }
    }
}

//! Where several proxies keep the buckets of one limit: in a Redis, or in a cluster of them.

use std::{fmt, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError,
    RedisResult, TlsCertificates, aio::MultiplexedConnection, cluster::ClusterClient, cluster_async::ClusterConnection,
};

use crate::metrics::{Metrics, StoreMetrics};

pub(super) mod lane;
pub(super) mod script;

/// A request waits no longer for it.
const DEADLINE: Duration = Duration::from_millis(20);
/// What nobody waits for may take so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the store is.
#[derive(Clone, Debug, Default)]
pub struct StoreConfig {
    /// `redis://` or `rediss://`, of one server, or of some of a cluster.
    pub urls: Vec<String>,
    pub is_cluster: bool,
    /// Who vouches for the servers, PEM; the public CAs, if absent.
    pub ca: Option<Vec<u8>>,
    /// Limits of installations of different names do not meet.
    pub gateway: String,
}

/// The store, as all threads know it. Each has a [`lane::Lane`] of its own to it.
pub(crate) struct Store {
    servers: Servers,
    /// Of every key. All of them hash to one slot of a cluster, so that one call may name several.
    prefix: String,
    metrics: StoreMetrics,
}

enum Servers {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
}

/// Cheap to clone; all clones share one connection to each server.
#[derive(Clone)]
enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Store {
    /// Nothing is asked of it yet.
    ///
    /// # Errors
    /// What is wrong with the URLs or the CA.
    pub(crate) fn new(config: &StoreConfig, metrics: &Metrics) -> Result<Arc<Self>, String> {
        let servers = Servers::new(config).map_err(|error| format!("--redis: {}", reason(&error)))?;
        let prefix = format!("penstock:{{{}}}:", config.gateway);
        Ok(Arc::new(Self { servers, prefix, metrics: metrics.store() }))
    }

    /// Do all threads reach it?
    pub(super) fn is_up(&self) -> bool {
        self.metrics.is_up()
    }

    /// A new connection, for which names are looked up anew.
    async fn connect(&self) -> RedisResult<Connection> {
        match &self.servers {
            Servers::One(client) => {
                // Who waits for an answer says how long.
                let config =
                    AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(None);
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::One)
            }
            Servers::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

impl Servers {
    fn new(config: &StoreConfig) -> RedisResult<Self> {
        let certificates = || TlsCertificates { client_tls: None, root_cert: config.ca.clone() };
        if config.is_cluster {
            let nodes: Vec<ConnectionInfo> =
                config.urls.iter().map(|url| url.as_str().into_connection_info()).collect::<RedisResult<_>>()?;
            let mut cluster = ClusterClient::builder(nodes).connection_timeout(PATIENCE).response_timeout(lane::LATE);
            if config.ca.is_some() {
                cluster = cluster.certs(certificates());
            }
            return cluster.build().map(|client| Self::Cluster(Box::new(client)));
        }
        let one = |client| Self::One(Box::new(client));
        match (config.urls.as_slice(), &config.ca) {
            ([url], None) => Client::open(url.as_str()).map(one),
            ([url], Some(_)) => Client::build_with_tls(url.as_str(), certificates()).map(one),
            _ => Err((ErrorKind::InvalidClientConfig, "one URL is one server: several are a cluster's").into()),
        }
    }
}

impl Connection {
    async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        match self {
            Connection::One(connection) => command.query_async(connection).await,
            Connection::Cluster(connection) => command.query_async(connection).await,
        }
    }
}

/// In words that name no secret.
fn reason(error: &RedisError) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.code().unwrap_or(error.category())),
        None => error.to_string(),
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its servers' passwords are not for logs.
        f.debug_struct("Store").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

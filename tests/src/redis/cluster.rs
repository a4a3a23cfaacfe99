//! A cluster of Redis servers, and the move of a slot in it.

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, FromRedisValue, cmd};
use tempfile::TempDir;

use super::{Redis, WITHIN};

const NODES: u16 = 3;
const SLOTS: u16 = 16_384;

/// Three masters without replicas, each with a third of the slots. They end with this value.
pub struct RedisCluster {
    nodes: Vec<Node>,
    _folder: TempDir,
}

struct Node {
    redis: Redis,
    connection: MultiplexedConnection,
    id: String,
}

impl RedisCluster {
    /// Starts it, and waits until all of its nodes know of all slots.
    ///
    /// # Errors
    /// When Redis is not installed, or they do not find each other within 30 s.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut nodes = Vec::new();
        for number in 0..NODES {
            nodes.push(Node::start(&folder, number).await?);
        }
        let ports: Vec<u16> = nodes.iter().map(|node| node.redis.port()).collect();
        for port in &ports[1..] {
            let _: String = nodes[0].ask(cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(*port)).await?;
        }
        let mut cluster = Self { nodes, _folder: folder };
        tokio::time::timeout(WITHIN, cluster.until_complete()).await.context("the nodes do not meet")??;
        Ok(cluster)
    }

    /// The URL of each node.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.redis.url()).collect()
    }

    /// The keys of each node.
    ///
    /// # Errors
    /// When one does not answer.
    pub async fn keys(&mut self) -> anyhow::Result<Vec<Vec<String>>> {
        let mut keys = Vec::new();
        for node in &mut self.nodes {
            keys.push(node.ask(cmd("KEYS").arg("*")).await?);
        }
        Ok(keys)
    }

    /// Begins to move the slot of a key from one node to another: what is not on the first is asked of the other.
    ///
    /// # Errors
    /// When one of them refuses.
    pub async fn begin_move(&mut self, key: &str, from: usize, to: usize) -> anyhow::Result<u16> {
        let slot: u16 = self.nodes[from].ask(cmd("CLUSTER").arg("KEYSLOT").arg(key)).await?;
        let [source, target] = [from, to].map(|node| self.nodes[node].id.clone());
        let set = |state: &str, of: &str| cmd("CLUSTER").arg("SETSLOT").arg(slot).arg(state).arg(of).clone();
        let _: String = self.nodes[to].ask(&set("IMPORTING", &source)).await?;
        let _: String = self.nodes[from].ask(&set("MIGRATING", &target)).await?;
        Ok(slot)
    }

    /// Moves all keys of a slot.
    ///
    /// # Errors
    /// When one of them refuses.
    pub async fn move_keys(&mut self, slot: u16, from: usize, to: usize) -> anyhow::Result<()> {
        let port = self.nodes[to].redis.port();
        let source = &mut self.nodes[from];
        let keys: Vec<String> = source.ask(cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(1_000)).await?;
        let mut migrate = cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(port).arg("").arg(0).arg(5_000).arg("KEYS").arg(keys);
        let _: String = source.ask(&migrate).await?;
        Ok(())
    }

    /// The slot is the other's from now on.
    ///
    /// # Errors
    /// When one of them refuses.
    pub async fn end_move(&mut self, slot: u16, from: usize, to: usize) -> anyhow::Result<()> {
        let target = self.nodes[to].id.clone();
        for node in [to, from] {
            let set = cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("NODE").arg(&target).clone();
            let _: String = self.nodes[node].ask(&set).await?;
        }
        Ok(())
    }

    async fn until_complete(&mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            loop {
                let info: String = node.ask(cmd("CLUSTER").arg("INFO")).await?;
                let says = |line: &str| info.lines().any(|said| said == line);
                if says("cluster_state:ok") && says(&format!("cluster_known_nodes:{NODES}")) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

impl Node {
    async fn start(folder: &TempDir, number: u16) -> anyhow::Result<Self> {
        let file = folder.path().join(format!("node-{number}.conf"));
        let file = file.to_str().context("a path of text")?;
        let redis = Redis::start_with(&["--cluster-enabled", "yes", "--cluster-config-file", file]).await?;
        let connection = Client::open(redis.url())?.get_multiplexed_async_connection().await?;
        let mut node = Self { redis, connection, id: String::new() };
        node.id = node.ask(cmd("CLUSTER").arg("MYID")).await?;
        let (first, next) =
            (SLOTS / NODES * number, if number + 1 == NODES { SLOTS } else { SLOTS / NODES * (number + 1) });
        let _: String = node.ask(cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(first).arg(next - 1)).await?;
        let _: String = node.ask(cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(number + 1)).await?;
        Ok(node)
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> anyhow::Result<T> {
        command.query_async(&mut self.connection).await.with_context(|| format!("node {}", self.redis.port()))
    }
}

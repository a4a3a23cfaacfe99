//! A Pod's life after its volumes are there: one task that owns the process and is the only one to write its status.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, SelectAll};
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::watch_object;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};

use super::container::{Process, Readiness};
use super::volumes::{Change, Volumes};
use crate::cluster::control_plane::{Held, Leash};

/// How often readiness is asked. The kubelet's own period is seconds, which tests need not wait for.
const PROBE_EVERY: Duration = Duration::from_millis(100);

/// What may be asked of a Pod; each is answered when it is done.
pub(super) enum Command {
    Pid(oneshot::Sender<Option<u32>>),
    Kill(oneshot::Sender<()>),
    Restart(oneshot::Sender<anyhow::Result<()>>),
}

/// All that the task owns.
pub(super) struct Life {
    pub(super) pods: Api<Pod>,
    pub(super) name: String,
    pub(super) container: Container,
    pub(super) process: Process,
    pub(super) probes: BoxStream<'static, bool>,
    pub(super) volumes: Volumes,
    pub(super) changes: SelectAll<BoxStream<'static, Change>>,
    pub(super) leash: Arc<Leash>,
    pub(super) log: PathBuf,
    pub(super) grace: Duration,
    pub(super) restarts: u32,
}

/// A process, killed when this is dropped.
struct Running {
    child: Child,
    pid: u32,
    _held: Held,
}

/// Why an iteration of the loop woke up.
enum Event {
    Exited,
    Asked(Option<Command>),
    Probed(bool),
    Changed(Change),
    Deleted,
}

impl Life {
    /// Until the Pod is deleted or its owner is gone. What goes wrong later is said in the log, as a kubelet would.
    pub(super) async fn run(mut self, started: oneshot::Sender<anyhow::Result<()>>, commands: mpsc::Receiver<Command>) {
        let mut running = match self.start().await {
            Ok(running) => {
                let _ = started.send(Ok(()));
                Some(running)
            }
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        if let Err(error) = self.serve(&mut running, commands).await {
            eprintln!("Pod {}: {error:#}", self.name);
        }
    }

    async fn serve(
        &mut self,
        running: &mut Option<Running>,
        mut commands: mpsc::Receiver<Command>,
    ) -> anyhow::Result<()> {
        let mut deleted = deletion(self.pods.clone(), &self.name).boxed();
        let mut ready = false;
        loop {
            let event = tokio::select! {
                () = exit(running) => Event::Exited,
                command = commands.recv() => Event::Asked(command),
                Some(probed) = self.probes.next(), if running.is_some() => Event::Probed(probed),
                Some(change) = self.changes.next() => Event::Changed(change),
                Some(()) = deleted.next() => Event::Deleted,
            };
            match event {
                Event::Exited => {
                    *running = None;
                    ready = false;
                    self.report(false, false).await?;
                }
                Event::Asked(None) => return Ok(()),
                Event::Asked(Some(Command::Pid(reply))) => {
                    let _ = reply.send(running.as_ref().map(|running| running.pid));
                }
                Event::Asked(Some(Command::Kill(reply))) => {
                    self.kill(running).await?;
                    ready = false;
                    let _ = reply.send(());
                }
                Event::Asked(Some(Command::Restart(reply))) => {
                    self.kill(running).await?;
                    ready = false;
                    self.restarts += 1;
                    let outcome = self.start().await.map(|started| *running = Some(started));
                    let _ = reply.send(outcome);
                }
                Event::Probed(probed) if probed == ready => {}
                Event::Probed(probed) => {
                    ready = probed;
                    self.report(true, ready).await?;
                }
                Event::Changed((source, files)) => {
                    self.volumes.set(source, files);
                    self.volumes.write()?;
                }
                Event::Deleted => return self.end(running).await,
            }
        }
    }

    async fn start(&mut self) -> anyhow::Result<Running> {
        let child = self.process.start(&self.log)?;
        let pid = child.id().unwrap_or_default();
        let running = Running { _held: self.leash.hold(pid)?, child, pid };
        self.report(true, false).await?;
        Ok(running)
    }

    async fn kill(&mut self, running: &mut Option<Running>) -> anyhow::Result<()> {
        if let Some(mut running) = running.take() {
            running.child.kill().await?;
            self.report(false, false).await?;
        }
        Ok(())
    }

    /// SIGTERM, the grace period, SIGKILL; then the Pod itself goes.
    async fn end(&mut self, running: &mut Option<Running>) -> anyhow::Result<()> {
        if let Some(mut running) = running.take() {
            if let Some(pid) = running.pid.try_into().ok().and_then(Pid::from_raw) {
                kill_process(pid, Signal::TERM)?;
            }
            if tokio::time::timeout(self.grace, running.child.wait()).await.is_err() {
                running.child.kill().await?;
            }
        }
        let now = DeleteParams::default().grace_period(0);
        match self.pods.delete(&self.name, &now).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            outcome => Ok(outcome.map(drop)?),
        }
    }

    async fn report(&mut self, running: bool, ready: bool) -> anyhow::Result<()> {
        let condition = |kind: &str, holds: bool| json!({"type": kind, "status": if holds { "True" } else { "False" }});
        let state = match running {
            true => json!({"running": {}, "terminated": null}),
            false => json!({"running": null, "terminated": {"exitCode": 137, "reason": "Error"}}),
        };
        let status = json!({"status": {
            "phase": "Running",
            "conditions": [
                condition("PodScheduled", true),
                condition("Initialized", true),
                condition("ContainersReady", ready),
                condition("Ready", ready),
            ],
            "containerStatuses": [{
                "name": self.container.name,
                "image": self.container.image,
                "imageID": "",
                "ready": ready,
                "started": running,
                "restartCount": self.restarts,
                "state": state,
            }],
        }});
        let patch = Patch::Strategic(status);
        let outcome = self.pods.patch_status(&self.name, &PatchParams::default(), &patch).await;
        match outcome {
            // Deleted by force meanwhile: its deletion is the next event.
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            outcome => Ok(outcome.map(drop)?),
        }
    }
}

/// When the process ends; never, when there is none.
async fn exit(running: &mut Option<Running>) {
    match running {
        // An error means that it is gone as well.
        Some(running) => drop(running.child.wait().await),
        None => std::future::pending().await,
    }
}

/// Whether the container is ready, again and again. Without a probe it always is.
pub(super) fn probes(client: reqwest::Client, readiness: Option<Readiness>) -> BoxStream<'static, bool> {
    let mut every = tokio::time::interval(PROBE_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    stream::unfold((every, client, readiness), |(mut every, client, readiness)| async move {
        every.tick().await;
        let ready = match &readiness {
            None => true,
            Some(Readiness { url, timeout }) => {
                let answer = client.get(url).timeout(*timeout).send().await;
                answer.is_ok_and(|answer| answer.status().is_success())
            }
        };
        Some((ready, (every, client, readiness)))
    })
    .boxed()
}

/// Says when the Pod is to go or is gone.
fn deletion(pods: Api<Pod>, name: &str) -> impl Stream<Item = ()> + use<> {
    watch_object(pods, name).default_backoff().filter_map(|pod| async move {
        let pod = pod.ok()?;
        pod.is_none_or(|pod| pod.metadata.deletion_timestamp.is_some()).then_some(())
    })
}

//! A Pod's volumes as folders, kept up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapProjection, DownwardAPIProjection, KeyToPath, Pod, Secret, SecretProjection,
    ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use kube::Client;
use kube::api::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::watch_object;

use super::container::field;

/// File names and contents, as in an object's `data`.
type Files = BTreeMap<String, Vec<u8>>;

/// An object that volumes are filled from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Secret(String),
    ConfigMap(String),
}

/// All volumes of one Pod.
pub(super) struct Volumes {
    root: PathBuf,
    pod: Pod,
    volumes: Vec<(String, Vec<VolumeProjection>)>,
    objects: BTreeMap<Source, Option<Files>>,
    /// Service account tokens by volume and path.
    tokens: BTreeMap<(String, String), String>,
}

impl Volumes {
    /// The Pod's volumes under `root`, with nothing in them yet.
    pub(super) fn new(root: PathBuf, pod: &Pod) -> anyhow::Result<Self> {
        let spec = pod.spec.as_ref().context("a Pod must have a spec")?;
        let volumes = spec.volumes.iter().flatten();
        Ok(Self {
            root,
            pod: pod.clone(),
            volumes: volumes
                .map(|volume| Ok((volume.name.clone(), projections(volume)?)))
                .collect::<anyhow::Result<_>>()?,
            objects: BTreeMap::new(),
            tokens: BTreeMap::new(),
        })
    }

    pub(super) fn folder(&self, volume: &str) -> PathBuf {
        self.root.join(volume)
    }

    /// The tokens that the volumes ask for, with the name of their volume.
    pub(super) fn tokens_wanted(&self) -> Vec<(String, ServiceAccountTokenProjection)> {
        let all = self.volumes.iter();
        all.flat_map(|(name, sources)| {
            let tokens = sources.iter().filter_map(|source| source.service_account_token.clone());
            tokens.map(|token| (name.clone(), token))
        })
        .collect()
    }

    pub(super) fn set_token(&mut self, volume: String, path: String, token: String) {
        self.tokens.insert((volume, path), token);
    }

    /// The objects that the volumes are filled from.
    pub(super) fn sources(&self) -> BTreeSet<Source> {
        self.references().map(|(source, _)| source).collect()
    }

    pub(super) fn set(&mut self, source: Source, files: Option<Files>) {
        self.objects.insert(source, files);
    }

    /// What must be there before the Pod may start, and is not.
    pub(super) fn missing(&self) -> Vec<Source> {
        self.references()
            .filter(|(source, optional)| match self.objects.get(source) {
                None => true,
                Some(None) => !optional,
                Some(Some(_)) => false,
            })
            .map(|(source, _)| source)
            .collect()
    }

    /// Brings every folder up to date; each changes as a whole.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        for (name, sources) in &self.volumes {
            let mut files = Files::new();
            for source in sources {
                files.append(&mut self.files(name, source)?);
            }
            write_folder(&self.folder(name), &files).with_context(|| format!("volume {name}"))?;
        }
        Ok(())
    }

    fn references(&self) -> impl Iterator<Item = (Source, bool)> + '_ {
        let all = self.volumes.iter().flat_map(|(_, sources)| sources);
        all.flat_map(|source| {
            let secret = source.secret.as_ref().map(|secret| (Source::Secret(secret.name.clone()), secret.optional));
            let config_map = source.config_map.as_ref().map(|map| (Source::ConfigMap(map.name.clone()), map.optional));
            secret.into_iter().chain(config_map).map(|(source, optional)| (source, optional.unwrap_or(false)))
        })
    }

    fn files(&self, volume: &str, source: &VolumeProjection) -> anyhow::Result<Files> {
        let mut files = Files::new();
        if let Some(SecretProjection { name, items, .. }) = &source.secret {
            files.append(&mut self.object(Source::Secret(name.clone()), items.as_deref()));
        }
        if let Some(ConfigMapProjection { name, items, .. }) = &source.config_map {
            files.append(&mut self.object(Source::ConfigMap(name.clone()), items.as_deref()));
        }
        if let Some(ServiceAccountTokenProjection { path, .. }) = &source.service_account_token {
            let token = self.tokens.get(&(volume.to_owned(), path.clone()));
            let token = token.with_context(|| format!("the token {path} must have been asked for"))?;
            files.insert(path.clone(), token.clone().into_bytes());
        }
        if let Some(DownwardAPIProjection { items }) = &source.downward_api {
            for item in items.iter().flatten() {
                let reference = item.field_ref.as_ref().context("only fieldRef is known here")?;
                let value = field(&self.pod, &reference.field_path)?;
                files.insert(item.path.clone(), value.into_bytes());
            }
        }
        Ok(files)
    }

    /// The keys of an object under the paths that `items` give them; all keys where it gives none.
    fn object(&self, source: Source, items: Option<&[KeyToPath]>) -> Files {
        let Some(Some(files)) = self.objects.get(&source) else {
            return Files::new();
        };
        let Some(items) = items else {
            return files.clone();
        };
        items.iter().filter_map(|item| Some((item.path.clone(), files.get(&item.key)?.clone()))).collect()
    }
}

impl Source {
    /// The object's files, now and after every change; none when it is not there.
    pub(super) fn watch(self, client: Client, namespace: &str) -> futures::stream::BoxStream<'static, Change> {
        match &self {
            Self::Secret(name) => {
                let secrets: Api<Secret> = Api::namespaced(client, namespace);
                let data = watch_object(secrets, name).default_backoff().map_ok(|secret| {
                    let data = secret?.data.unwrap_or_default();
                    Some(data.into_iter().map(|(key, value)| (key, value.0)).collect())
                });
                changes(self, data).boxed()
            }
            Self::ConfigMap(name) => {
                let config_maps: Api<ConfigMap> = Api::namespaced(client, namespace);
                let data = watch_object(config_maps, name).default_backoff().map_ok(|map| {
                    let map = map?;
                    let text = map.data.unwrap_or_default().into_iter();
                    let text = text.map(|(key, value)| (key, value.into_bytes()));
                    let binary = map.binary_data.unwrap_or_default().into_iter();
                    Some(text.chain(binary.map(|(key, value)| (key, value.0))).collect())
                });
                changes(self, data).boxed()
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "Secret {name}"),
            Self::ConfigMap(name) => write!(f, "ConfigMap {name}"),
        }
    }
}

/// An object and what is in it now.
pub(super) type Change = (Source, Option<Files>);

/// Errors of a watch are left to its backoff.
fn changes<E>(source: Source, data: impl Stream<Item = Result<Option<Files>, E>>) -> impl Stream<Item = Change> {
    data.filter_map(move |files| {
        let change = files.ok().map(|files| (source.clone(), files));
        async move { change }
    })
}

/// What a volume is filled from, whatever its kind.
fn projections(volume: &Volume) -> anyhow::Result<Vec<VolumeProjection>> {
    if let Some(secret) = &volume.secret {
        return Ok(vec![VolumeProjection {
            secret: Some(SecretProjection {
                name: secret.secret_name.clone().unwrap_or_default(),
                items: secret.items.clone(),
                optional: secret.optional,
            }),
            ..VolumeProjection::default()
        }]);
    }
    if let Some(map) = &volume.config_map {
        return Ok(vec![VolumeProjection {
            config_map: Some(ConfigMapProjection {
                name: map.name.clone(),
                items: map.items.clone(),
                optional: map.optional,
            }),
            ..VolumeProjection::default()
        }]);
    }
    if let Some(projected) = &volume.projected {
        let sources = projected.sources.clone().unwrap_or_default();
        let known =
            sources.iter().all(|source| source.cluster_trust_bundle.is_none() && source.pod_certificate.is_none());
        ensure!(known, "volume {} has a source that is not known here", volume.name);
        return Ok(sources);
    }
    if volume.empty_dir.is_some() {
        return Ok(Vec::new());
    }
    bail!("volume {} is of a kind that is not known here", volume.name)
}

/// Writes a folder as the kubelet does: files live in a folder of their own, `..data` points to it, and a reader that
/// follows the links sees the old files or the new ones, never a mixture. Unchanged files are not touched.
fn write_folder(folder: &Path, files: &Files) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let data = folder.join("..data");
    let current = fs::read_link(&data).ok();
    if let Some(current) = &current
        && *files == read_files(&folder.join(current))?
    {
        return Ok(());
    }
    let number = match &current {
        None => 0,
        Some(current) => current.to_string_lossy().trim_start_matches('.').parse::<u64>()? + 1,
    };
    let version = format!("..{number}");
    for (name, content) in files {
        let file = folder.join(&version).join(name);
        let parent = file.parent().context("a file must have a parent")?;
        fs::create_dir_all(parent)?;
        fs::write(&file, content)?;
    }
    fs::create_dir_all(folder.join(&version))?;
    let new = folder.join("..data_tmp");
    symlink(&version, &new)?;
    fs::rename(&new, &data)?;

    let tops: BTreeSet<_> = files.keys().filter_map(|name| Path::new(name).iter().next()).collect();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let hidden = name.to_string_lossy().starts_with("..");
        if !hidden && !tops.contains(name.as_os_str()) {
            fs::remove_file(folder.join(&name))?;
        }
    }
    for top in tops {
        if !folder.join(top).is_symlink() {
            symlink(Path::new("..data").join(top), folder.join(top))?;
        }
    }
    if let Some(old) = current {
        fs::remove_dir_all(folder.join(old))?;
    }
    Ok(())
}

fn read_files(folder: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                files.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

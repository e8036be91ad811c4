//! Checkpoints by name: from the cache that Hugging Face's own tools share, or, if asked, from the
//! network.
//!
//! A [`Hub`] is offline until [`Hub::online`] says otherwise, and stays so if the environment
//! variable `HF_HUB_OFFLINE` is set.

use std::path::{Path, PathBuf};

use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use serde_json::Value;

use crate::json_file::{FileError, JsonFile};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const TOKENIZER: &str = "tokenizer.json";
/// Files of a checkpoint beside those above that are downloaded where there are any.
const COMPANIONS: [&str; 4] = [
    "chat_template.jinja",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
];

/// Finds checkpoints by name.
#[derive(Clone, Debug)]
pub struct Hub {
    cache: PathBuf,
    endpoint: String,
    /// What a private model asks for.
    token: Option<String>,
    online: bool,
    /// Whether the environment forbids the network.
    forbidden: bool,
}

/// Why there is no such checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The name is not one of the hub's.
    #[error(
        "`{0}` is no name of a model on the hub: `owner/name`, of letters, digits, `-`, `_`, `.`"
    )]
    Name(String),
    /// A file is not in the cache, and the network was not asked.
    #[error(
        "{file} of {name} is not in the cache {cache}; nothing is downloaded unless that is asked for",
        cache = cache.display()
    )]
    NotCached {
        /// The model.
        name: String,
        /// The file.
        file: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The environment forbids what was asked for.
    #[error("HF_HUB_OFFLINE is set, so {0} is not downloaded")]
    Forbidden(String),
    /// The model has no files that can be read here.
    #[error("{name} has no {file} on {endpoint}")]
    Incomplete {
        /// The model.
        name: String,
        /// What is missing.
        file: &'static str,
        /// Where it was looked for.
        endpoint: String,
    },
    /// The download failed.
    #[error("downloading {file} of {name} from {endpoint}: {source}")]
    Download {
        /// The model.
        name: String,
        /// The file.
        file: String,
        /// The server.
        endpoint: String,
        /// What happened.
        source: Box<ApiError>,
    },
    /// A downloaded file is wrong.
    #[error(transparent)]
    Files(#[from] FileError),
}

/// How far the download of one file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded<'a> {
    /// The file.
    pub file: &'a str,
    /// Bytes so far.
    pub bytes: u64,
    /// Bytes in all.
    pub total: u64,
}

impl Hub {
    /// A cache, such as `~/.cache/huggingface/hub`. Offline.
    #[must_use]
    pub fn new(cache: &Path) -> Self {
        Self {
            cache: cache.to_owned(),
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            online: false,
            forbidden: false,
        }
    }

    /// The cache and server that the environment names, as `huggingface_hub` reads it: `HF_HOME`,
    /// `HF_ENDPOINT`, `HF_HUB_OFFLINE` and the token of `huggingface-cli login`. Offline.
    #[must_use]
    pub fn from_env() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let cache = Cache::from_env();
        let hub = Self {
            token: variable("HF_TOKEN").or_else(|| cache.token()),
            forbidden: variable("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
            ..Self::new(cache.path())
        };
        match variable("HF_ENDPOINT") {
            Some(endpoint) => hub.with_endpoint(&endpoint),
            None => hub,
        }
    }

    /// The same with another server than `https://huggingface.co`.
    #[must_use]
    pub fn with_endpoint(self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.trim_end_matches('/').to_owned(), ..self }
    }

    /// The same, which downloads what the cache lacks.
    #[must_use]
    pub fn online(self) -> Self {
        Self { online: true, ..self }
    }

    /// The folder of a checkpoint, such as `Qwen/Qwen2.5-0.5B` at `main`, for
    /// [`ModelFolder::open`](crate::ModelFolder::open).
    ///
    /// Online, the server is asked which files the revision has, and those that the cache lacks are
    /// downloaded: configuration, tokenizer, chat template and safetensors. `report` hears of every
    /// piece.
    ///
    /// # Errors
    /// [`HubError`] names the model and the file.
    pub fn checkpoint(
        &self,
        name: &str,
        revision: &str,
        report: &mut dyn FnMut(&Downloaded<'_>),
    ) -> Result<PathBuf, HubError> {
        let is_plain = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && part.chars().all(known) && !part.starts_with('.')
        };
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() > 2 || !parts.iter().all(|part| is_plain(part)) {
            return Err(HubError::Name(name.to_owned()));
        }
        let repo = Repo::with_revision(name.to_owned(), RepoType::Model, revision.to_owned());
        match (self.online, self.forbidden) {
            (true, true) => Err(HubError::Forbidden(name.to_owned())),
            (true, false) => self.download(name, repo, report),
            (false, _) => self.cached(name, &repo),
        }
    }

    /// The snapshot in the cache, if it is whole.
    fn cached(&self, name: &str, repo: &Repo) -> Result<PathBuf, HubError> {
        let cache = Cache::new(self.cache.clone()).repo(repo.clone());
        let missing = |file: &str| HubError::NotCached {
            name: name.to_owned(),
            file: file.to_owned(),
            cache: self.cache.clone(),
        };
        let config = cache.get(CONFIG).ok_or_else(|| missing(CONFIG))?;
        let folder = config.parent().expect("a file stands in a folder").to_owned();
        let index = JsonFile::read(&folder.join(INDEX))?;
        let shards = index.as_ref().map_or_else(|| vec![WEIGHTS.to_owned()], shards);
        let needed = [TOKENIZER.to_owned()].into_iter().chain(shards);
        match needed.into_iter().find(|file| !folder.join(file).exists()) {
            Some(file) => Err(missing(&file)),
            None => Ok(folder),
        }
    }

    fn download(
        &self,
        name: &str,
        repo: Repo,
        report: &mut dyn FnMut(&Downloaded<'_>),
    ) -> Result<PathBuf, HubError> {
        let failed = |file: &str, source: ApiError| HubError::Download {
            name: name.to_owned(),
            file: file.to_owned(),
            endpoint: self.endpoint.clone(),
            source: Box::new(source),
        };
        let incomplete = |file: &'static str| HubError::Incomplete {
            name: name.to_owned(),
            file,
            endpoint: self.endpoint.clone(),
        };
        let builder = ApiBuilder::new()
            .with_cache_dir(self.cache.clone())
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_user_agent("fireproof", env!("CARGO_PKG_VERSION"));
        let api = builder.build().map_err(|error| failed("its list of files", error))?;
        let remote = api.repo(repo.clone());
        let info = remote.info().map_err(|error| failed("its list of files", error))?;
        let has = |file: &str| info.siblings.iter().any(|sibling| sibling.rfilename == file);
        for file in [CONFIG, TOKENIZER] {
            if !has(file) {
                return Err(incomplete(file));
            }
        }
        let cache = Cache::new(self.cache.clone()).repo(repo);
        let snapshot = cache.pointer_path(&info.sha);
        let mut fetch = |file: &str| {
            let here = snapshot.join(file);
            let fetched = if here.exists() { Ok(here) } else { fetch(&remote, file, report) };
            fetched.map_err(|error| failed(file, error))
        };
        let present = COMPANIONS.into_iter().filter(|file| has(file));
        for file in [CONFIG, TOKENIZER].into_iter().chain(present) {
            fetch(file)?;
        }
        if has(INDEX) {
            let index = JsonFile::read(&fetch(INDEX)?)?;
            for shard in index.as_ref().map(shards).unwrap_or_default() {
                fetch(&shard)?;
            }
        } else if has(WEIGHTS) {
            fetch(WEIGHTS)?;
        } else {
            return Err(incomplete("safetensors"));
        }
        // From now on the revision means this snapshot, also offline.
        let named = cache.create_ref(&info.sha);
        named.map_err(|error| failed("the name of its revision", ApiError::IoError(error)))?;
        Ok(snapshot)
    }
}

/// `HF_HUB_OFFLINE` is true as `huggingface_hub` reads it.
fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
}

/// The files that an index names; only names of files, so that nothing is written elsewhere.
fn shards(index: &JsonFile) -> Vec<String> {
    let map = index.get("weight_map").and_then(Value::as_object);
    let files = map.into_iter().flat_map(|map| map.values()).filter_map(Value::as_str);
    let mut files: Vec<String> =
        files.filter(|file| !file.contains(['/', '\\'])).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    files
}

fn fetch(
    remote: &ApiRepo,
    file: &str,
    report: &mut dyn FnMut(&Downloaded<'_>),
) -> Result<PathBuf, ApiError> {
    remote.download_with_progress(file, Reporter { file, total: 0, seen: 0, report })
}

/// Hands the pieces of one file on.
struct Reporter<'a> {
    file: &'a str,
    total: u64,
    seen: u64,
    report: &'a mut dyn FnMut(&Downloaded<'_>),
}

impl Reporter<'_> {
    fn tell(&mut self) {
        (self.report)(&Downloaded { file: self.file, bytes: self.seen, total: self.total });
    }
}

impl Progress for Reporter<'_> {
    fn init(&mut self, size: usize, _filename: &str) {
        self.total = size as u64;
        self.tell();
    }

    fn update(&mut self, size: usize) {
        self.seen += size as u64;
        self.tell();
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_overrules_a_program_that_asks_for_the_network() {
        assert!(["1", "ON", "yes", "True"].into_iter().all(is_true));
        assert!(!["0", "off", "2"].into_iter().any(is_true));
        let hub = Hub { forbidden: true, ..Hub::new(Path::new("/nowhere")) };
        let error = hub.clone().online().checkpoint("a/b", "main", &mut |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "HF_HUB_OFFLINE is set, so a/b is not downloaded");
        let error = hub.checkpoint("a/b", "main", &mut |_| ()).unwrap_err();
        assert!(matches!(error, HubError::NotCached { .. }), "{error}");
    }
}

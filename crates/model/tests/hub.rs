//! Checkpoints by name, from a server that this test is.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use fireproof_model::{Downloaded, Hub, HubError};

const COMMIT: &str = "0123456789abcdef";
const INDEX: &str =
    r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "../evil"}}"#;

/// A hub with one model, and the requests that it got.
struct Server {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(files: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let files: BTreeMap<String, String> = files.iter().map(owned).collect();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &files, &log);
            }
        });
        Self { endpoint, requests }
    }

    /// Paths asked for so far.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().expect("nobody panicked"))
    }

    fn hub(&self, cache: &Path) -> Hub {
        Hub::new(cache).with_endpoint(&self.endpoint)
    }
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, String>, log: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let path = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned));
    let path = path.unwrap_or_default();
    let first_byte =
        lines.take_while(|line| !line.is_empty()).any(|line| line.ends_with("bytes=0-0"));
    log.lock().expect("nobody panicked").push(path.clone());
    let name = path.strip_prefix("/tiny/model/resolve/main/").unwrap_or("").to_owned();
    let response = if path == "/api/models/tiny/model/revision/main" {
        let siblings: Vec<String> =
            files.keys().map(|name| format!("{{\"rfilename\": \"{name}\"}}")).collect();
        let body = format!("{{\"sha\": \"{COMMIT}\", \"siblings\": [{}]}}", siblings.join(","));
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    } else if let Some(text) = files.get(&name) {
        let length = text.len();
        let head = format!("ETag: \"{name}\"\r\nx-repo-commit: {COMMIT}\r\nConnection: close");
        let (range, body) = if first_byte {
            ("0-0".to_owned(), &text[..1])
        } else {
            (format!("0-{}", length - 1), text.as_str())
        };
        format!(
            "HTTP/1.1 206 Partial\r\n{head}\r\nContent-Range: bytes {range}/{length}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    } else {
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
    };
    // A client that gave up is its own matter.
    let _ = stream.write_all(response.as_bytes());
}

fn sharded() -> Server {
    Server::new(&[
        ("config.json", "{}"),
        ("tokenizer.json", "{\"a\": 1}"),
        ("tokenizer_config.json", "{\"b\": 2}"),
        ("model.safetensors.index.json", INDEX),
        ("model-1.safetensors", "first shard"),
        ("model-2.safetensors", "second shard"),
        ("pytorch_model.bin", "never"),
        ("README.md", "never"),
    ])
}

#[test]
fn a_checkpoint_is_downloaded_once_and_then_found_without_the_network() {
    let (server, cache) = (sharded(), tempfile::tempdir().unwrap());
    let mut heard = BTreeMap::new();
    let mut report = |piece: &Downloaded<'_>| {
        heard.insert(piece.file.to_owned(), (piece.bytes, piece.total));
    };
    let hub = server.hub(cache.path()).online();
    let folder = hub.checkpoint("tiny/model", "main", &mut report).unwrap();
    assert_eq!(
        std::fs::read_to_string(folder.join("model-2.safetensors")).unwrap(),
        "second shard"
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("model.safetensors.index.json")).unwrap(),
        INDEX
    );
    assert_eq!(heard["model-1.safetensors"], (11, 11));
    assert_eq!(heard.len(), 6, "{heard:?}");
    let requests = server.requests();
    assert!(requests.iter().all(|path| !path.contains("evil") && !path.contains("pytorch")));

    // Again, it asks for the list only; offline, for nothing.
    assert_eq!(hub.checkpoint("tiny/model", "main", &mut |_| ()).unwrap(), folder);
    assert_eq!(server.requests(), ["/api/models/tiny/model/revision/main"]);
    let offline = server.hub(cache.path());
    assert_eq!(offline.checkpoint("tiny/model", "main", &mut |_| ()).unwrap(), folder);
    assert_eq!(server.requests(), [""; 0]);
    std::fs::remove_file(folder.join("model-1.safetensors")).unwrap();
    let error = offline.checkpoint("tiny/model", "main", &mut |_| ()).unwrap_err().to_string();
    assert!(error.starts_with("model-1.safetensors of tiny/model is not in the cache"), "{error}");
}

#[test]
fn nothing_is_downloaded_unless_that_is_asked_for() {
    let (server, cache) = (sharded(), tempfile::tempdir().unwrap());
    let hub = server.hub(cache.path());
    let error = hub.checkpoint("tiny/model", "main", &mut |_| ()).unwrap_err();
    assert!(matches!(error, HubError::NotCached { .. }), "{error}");
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn what_the_server_lacks_is_named() {
    let cache = tempfile::tempdir().unwrap();
    let refused = |server: &Server, name: &str, part: &str| {
        let hub = server.hub(cache.path()).online();
        let error = hub.checkpoint(name, "main", &mut |_| ()).unwrap_err().to_string();
        assert!(error.contains(part), "{part:?} is missing: {error}");
    };
    refused(
        &sharded(),
        "tiny/other",
        "downloading its list of files of tiny/other from http://127",
    );
    refused(&sharded(), "../../etc", "`../../etc` is no name of a model");
    refused(&sharded(), "a/b/c", "`a/b/c` is no name of a model");
    refused(&Server::new(&[("tokenizer.json", "{}")]), "tiny/model", "has no config.json on http");
    let bare = Server::new(&[("config.json", "{}"), ("tokenizer.json", "{}")]);
    refused(&bare, "tiny/model", "tiny/model has no safetensors on http");
}

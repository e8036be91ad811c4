//! Arms × seeds, several at a time, each done once.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::ThreadPoolBuilder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::LabError;

/// A piece of work with a result that a file keeps, such as one arm with one seed.
#[derive(Clone, Debug)]
pub struct Job<J> {
    /// Name of its file: letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// What it works on.
    pub input: J,
}

/// How far the jobs are.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Jobs done, those found done included.
    pub done: usize,
    /// All jobs.
    pub all: usize,
    /// The job that ended last; empty if none has run.
    pub last: &'a str,
    /// Since the first job began.
    pub elapsed: Duration,
}

/// A folder of results: `settings.json` and one JSON file a job.
///
/// A result is written whole or not at all, and a job whose result is there does not run again. So
/// an experiment that was killed goes on where it was, and one with more seeds adds only those.
#[derive(Debug)]
pub struct Jobs {
    folder: PathBuf,
    threads: usize,
}

impl Jobs {
    /// Opens a folder for results under some settings, making it if need be.
    ///
    /// `settings` must hold all that a result depends on besides the name of its job.
    ///
    /// # Errors
    /// [`LabError::OtherSettings`] if it holds results of other settings, and if it cannot be read
    /// or written.
    ///
    /// # Panics
    /// If `settings` cannot be written as JSON.
    pub fn open(folder: &Path, settings: &impl Serialize) -> Result<Self, LabError> {
        std::fs::create_dir_all(folder).map_err(LabError::file("making", folder))?;
        let settings = serde_json::to_value(settings).expect("settings have a JSON form");
        let path = folder.join("settings.json");
        if path.exists() {
            let found: Value = read(&path)?;
            if let Some((key, found, asked)) = difference("", &found, &settings) {
                let path = folder.to_owned();
                return Err(LabError::OtherSettings { path, key, found, asked });
            }
        } else {
            write(&path, &settings)?;
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { folder: folder.to_owned(), threads })
    }

    /// Runs at most so many jobs at a time (at least one; by default one a core).
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads: threads.max(1), ..self }
    }

    /// The results of all jobs, in their order. Jobs without a stored result run, each in a thread
    /// of its own whose parallel loops (rayon's) use that thread alone.
    ///
    /// # Errors
    /// The first job that failed, once those running beside it have ended; no further one starts.
    /// What succeeded is kept.
    ///
    /// # Panics
    /// If two jobs have one name or a name is no file name.
    pub fn run<J, T, E>(
        &self,
        jobs: &[Job<J>],
        work: impl Fn(&J) -> Result<T, E> + Sync,
        progress: impl Fn(Progress<'_>) + Sync,
    ) -> Result<Vec<T>, LabError>
    where
        J: Sync,
        T: Serialize + DeserializeOwned + Send,
        E: Display,
    {
        check_names(jobs);
        let missing: Vec<&Job<J>> =
            jobs.iter().filter(|job| !self.path(&job.name).exists()).collect();
        let board = Board::new(jobs.len() - missing.len(), jobs.len(), &progress);
        let failure: Mutex<Option<LabError>> = Mutex::new(None);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.threads.min(missing.len()) {
                scope.spawn(|| {
                    while let Some(job) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(error) = self.run_one(job, &work) {
                            next.store(missing.len(), Ordering::Relaxed);
                            lock(&failure).get_or_insert(error);
                            return;
                        }
                        board.ended(&job.name);
                    }
                });
            }
        });
        match lock(&failure).take() {
            Some(error) => Err(error),
            None => jobs.iter().map(|job| read(&self.path(&job.name))).collect(),
        }
    }

    fn run_one<J: Sync, T: Serialize + Send, E: Display>(
        &self,
        job: &Job<J>,
        work: &(impl Fn(&J) -> Result<T, E> + Sync),
    ) -> Result<(), LabError> {
        let refuse = |reason: String| LabError::Job { job: job.name.clone(), reason };
        let pool = ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.map_err(|error| refuse(error.to_string()))?;
        // The error is turned into text inside: only that may cross the threads.
        let result = pool.install(|| work(&job.input).map_err(|error| error.to_string()));
        write(&self.path(&job.name), &result.map_err(refuse)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// Counts the ended jobs and tells.
struct Board<'a> {
    done: Mutex<usize>,
    all: usize,
    begun: Instant,
    tell: &'a (dyn Fn(Progress<'_>) + Sync),
}

impl<'a> Board<'a> {
    fn new(done: usize, all: usize, tell: &'a (dyn Fn(Progress<'_>) + Sync)) -> Self {
        tell(Progress { done, all, last: "", elapsed: Duration::ZERO });
        Self { done: Mutex::new(done), all, begun: Instant::now(), tell }
    }

    fn ended(&self, name: &str) {
        let mut done = lock(&self.done);
        *done += 1;
        let elapsed = self.begun.elapsed();
        (self.tell)(Progress { done: *done, all: self.all, last: name, elapsed });
    }
}

/// A lock whose holder may have panicked: the panic ends the scope anyway.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn check_names<J>(jobs: &[Job<J>]) {
    let mut seen = BTreeSet::new();
    for Job { name, .. } in jobs {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let taken = name == "settings" || !seen.insert(name);
        assert!(!name.is_empty() && name.chars().all(plain), "`{name}` is no name for a job");
        assert!(!taken, "two jobs are named `{name}`");
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, LabError> {
    let text = std::fs::read_to_string(path).map_err(LabError::file("reading", path))?;
    let damaged =
        |e: serde_json::Error| LabError::Damaged { path: path.to_owned(), reason: e.to_string() };
    serde_json::from_str(&text).map_err(damaged)
}

/// Whole or not at all: a file beside it takes its place when it is complete.
fn write(path: &Path, value: &impl Serialize) -> Result<(), LabError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let text = serde_json::to_string(value).expect("results have a JSON form");
    let mut file =
        tempfile::NamedTempFile::new_in(folder).map_err(LabError::file("making", path))?;
    file.write_all(text.as_bytes()).map_err(LabError::file("writing", path))?;
    file.persist(path).map_err(|error| LabError::file("writing", path)(error.error))?;
    Ok(())
}

/// The first place where two values differ, and both values there.
fn difference(key: &str, a: &Value, b: &Value) -> Option<(String, String, String)> {
    let (Value::Object(left), Value::Object(right)) = (a, b) else {
        return (a != b).then(|| (key.to_owned(), a.to_string(), b.to_string()));
    };
    let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    keys.into_iter().find_map(|name| {
        let path = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        let value = |object: &serde_json::Map<String, Value>| {
            object.get(name).cloned().unwrap_or(Value::Null)
        };
        difference(&path, &value(left), &value(right))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn jobs(count: u32) -> Vec<Job<u32>> {
        (0..count).map(|input| Job { name: format!("seed-{input}"), input }).collect()
    }

    #[test]
    fn results_come_in_order_and_no_job_runs_twice() {
        let folder = tempfile::tempdir().unwrap();
        let ran = AtomicU32::new(0);
        let square = |n: &u32| {
            ran.fetch_add(1, Ordering::Relaxed);
            Ok::<_, String>(n * n)
        };
        let told = Mutex::new(Vec::new());
        for count in [3, 5, 5] {
            let open = Jobs::open(folder.path(), &"settings").unwrap().with_threads(2);
            let found = open
                .run(&jobs(count), square, |p| told.lock().unwrap().push((p.done, p.all)))
                .unwrap();
            assert_eq!(found, (0..count).map(|n| n * n).collect::<Vec<_>>());
        }
        assert_eq!(ran.into_inner(), 5);
        assert_eq!(
            told.into_inner().unwrap(),
            [(0, 3), (1, 3), (2, 3), (3, 3), (3, 5), (4, 5), (5, 5), (5, 5)]
        );
    }

    #[test]
    fn a_failure_names_its_job_and_keeps_what_succeeded() {
        let folder = tempfile::tempdir().unwrap();
        let open = Jobs::open(folder.path(), &0).unwrap().with_threads(1);
        let work = |n: &u32| if *n == 2 { Err("no luck") } else { Ok(*n) };
        let error = open.run(&jobs(4), work, |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "seed-2: no luck");
        let done = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(done, 3, "settings.json and two results");
    }

    #[test]
    fn other_settings_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let settings = |rate| serde_json::json!({ "task": { "rate": rate, "size": 3 } });
        Jobs::open(folder.path(), &settings(0.1)).unwrap();
        Jobs::open(folder.path(), &settings(0.1)).unwrap();
        let error = Jobs::open(folder.path(), &settings(0.2)).unwrap_err().to_string();
        assert!(error.contains("`task.rate` = 0.1, now it is 0.2"), "{error}");
    }

    #[test]
    fn a_damaged_result_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let open = Jobs::open(folder.path(), &0).unwrap();
        std::fs::write(folder.path().join("seed-0.json"), "{").unwrap();
        let error = open.run(&jobs(1), |n| Ok::<u32, String>(*n), |_| {}).unwrap_err();
        assert!(error.to_string().contains("seed-0.json is damaged"), "{error}");
    }

    #[test]
    #[should_panic(expected = "two jobs are named `seed-0`")]
    fn one_name_for_two_jobs_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let twice = [jobs(1), jobs(1)].concat();
        let _ =
            Jobs::open(folder.path(), &0).unwrap().run(&twice, |n| Ok::<u32, String>(*n), |_| {});
    }

    #[test]
    fn parallel_loops_stay_within_their_job() {
        let folder = tempfile::tempdir().unwrap();
        let open = Jobs::open(folder.path(), &0).unwrap();
        let threads = |_: &u32| Ok::<_, String>(rayon::current_num_threads());
        assert_eq!(open.run(&jobs(2), threads, |_| {}).unwrap(), [1, 1]);
    }
}

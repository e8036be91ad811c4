//! The weight files of a folder: their headers, and pieces of them mapped into memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapOptions};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;

use super::error::WeightsError;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// A header is a few hundred bytes a tensor; what claims more is not one.
const LONGEST_HEADER: u64 = 100 << 20;

/// All weight files with the place of every tensor.
#[derive(Debug)]
pub(super) struct Shards {
    folder: PathBuf,
    files: Vec<Shard>,
    /// File of each tensor.
    places: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the tensors start.
    start: u64,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// One tensor in a file.
pub(super) struct Stored<'a> {
    pub(super) name: &'a str,
    shard: &'a Shard,
    info: &'a TensorInfo,
}

impl Shards {
    pub(super) fn open(folder: &Path) -> Result<Self, WeightsError> {
        let single = folder.join(SINGLE);
        if single.exists() {
            let shard = Shard::open(single)?;
            let places = shard.metadata.offset_keys().into_iter().map(|name| (name, 0)).collect();
            return Ok(Self { folder: folder.to_owned(), files: vec![shard], places });
        }
        let path = folder.join(INDEX);
        if !path.exists() {
            let hint = match folder.join("pytorch_model.bin").exists() {
                true => "; pytorch_model.bin cannot be read: convert it to safetensors",
                false => "",
            };
            return Err(WeightsError::NoWeights { path: folder.to_owned(), hint });
        }
        Self::sharded(folder, &path)
    }

    fn sharded(folder: &Path, path: &Path) -> Result<Self, WeightsError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| WeightsError::read(path, &error))?;
        let index: Index =
            serde_json::from_str(&text).map_err(|error| WeightsError::damaged(path, error))?;
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut files: Vec<Shard> = Vec::new();
        for file in index.weight_map.values() {
            if numbers.contains_key(file.as_str()) {
                continue;
            }
            let mut parts = Path::new(file).components();
            if !matches!(
                (parts.next(), parts.next()),
                (Some(std::path::Component::Normal(_)), None)
            ) {
                return Err(WeightsError::damaged(
                    path,
                    format!("{file:?} is not the name of a file"),
                ));
            }
            numbers.insert(file, files.len());
            files.push(Shard::open(folder.join(file))?);
        }
        let mut places = BTreeMap::new();
        for (name, file) in &index.weight_map {
            let number = numbers[file.as_str()];
            if files[number].metadata.info(name).is_none() {
                return Err(WeightsError::Missing { name: name.clone(), path: folder.join(file) });
            }
            places.insert(name.clone(), number);
        }
        // A tensor that the index leaves out is still in its file.
        for (number, shard) in files.iter().enumerate() {
            for name in shard.metadata.offset_keys() {
                places.entry(name).or_insert(number);
            }
        }
        Ok(Self { folder: folder.to_owned(), files, places })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    pub(super) fn get<'a>(&'a self, name: &str) -> Result<Stored<'a>, WeightsError> {
        let found = self.places.get_key_value(name).and_then(|(name, number)| {
            let shard = &self.files[*number];
            Some(Stored { name, shard, info: shard.metadata.info(name)? })
        });
        let missing = || WeightsError::Missing { name: name.to_owned(), path: self.folder.clone() };
        found.ok_or_else(missing)
    }
}

impl Shard {
    /// Opens a file and checks that it is as long as its header says.
    fn open(path: PathBuf) -> Result<Self, WeightsError> {
        let read = |error: std::io::Error| WeightsError::read(&path, &error);
        let mut file = File::open(&path).map_err(read)?;
        let found = file.metadata().map_err(read)?.len();
        let too_short = |expected| WeightsError::Length { path: path.clone(), expected, found };
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|_| too_short(8))?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER {
            let reason = format!("a header of {length} bytes is not one of safetensors");
            return Err(WeightsError::damaged(&path, reason));
        }
        let start = 8 + length;
        if found < start {
            return Err(too_short(start));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(read)?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| WeightsError::damaged(&path, error))?;
        let expected = start + metadata.data_len() as u64;
        if found != expected {
            return Err(WeightsError::Length { path, expected, found });
        }
        Ok(Self { path, file, metadata, start })
    }
}

impl Stored<'_> {
    pub(super) fn path(&self) -> &Path {
        &self.shard.path
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.info.shape
    }

    pub(super) fn dtype(&self) -> Dtype {
        self.info.dtype
    }

    /// Bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.info.data_offsets.1 - self.info.data_offsets.0
    }

    /// Some of its bytes, mapped until the value is dropped.
    pub(super) fn map(&self, range: Range<usize>) -> Result<Mmap, WeightsError> {
        let start = self.shard.start + (self.info.data_offsets.0 + range.start) as u64;
        let mut options = MmapOptions::new();
        options.offset(start).len(range.len()).populate();
        map(&options, &self.shard.file).map_err(|error| WeightsError::read(self.path(), &error))
    }
}

#[allow(unsafe_code, reason = "a mapped file is plain bytes as long as nobody cuts it short")]
fn map(options: &MmapOptions, file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the bytes are only copied out of the map, as numbers for which every pattern of bits is
    // valid; the length was checked when the file was opened. Cutting the file short while it is
    // being loaded would end the program, as it would with every other reader of safetensors.
    unsafe { options.map(file) }
}

//! The file of vectors: magic, rows of little-endian floats, a manifest in JSON, its length, and a checksum of it all.
//!
//! What is known only at the end comes at the end, so that the rows are written as they come.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::quantize::quantize;
use super::query::unit;
use super::rows::RowFile;
use super::{DenseError, DenseVectors, Group, Origin};
use crate::domain::{ContentHash, Hasher};

/// Names this format: change it whenever the file is made differently.
const MAGIC: &[u8; 8] = b"tollgdv1";
const LENGTH_BYTES: u64 = 8;
const CHECKSUM_BYTES: u64 = 64;
/// Rows that are read at once.
const BLOCK: usize = 256;

#[derive(Serialize, Deserialize)]
struct Manifest {
    origin: Origin,
    dimensions: usize,
    groups: Vec<ManifestGroup>,
}

/// Rows that follow one another and have the same scope.
#[derive(Serialize, Deserialize)]
struct ManifestGroup {
    scope: String,
    chunks: Vec<String>,
}

/// Writes a file of vectors, row by row.
pub(in crate::kb) struct Writer<'a> {
    out: &'a mut dyn Write,
    hasher: Hasher,
    dimensions: usize,
    groups: Vec<ManifestGroup>,
}

impl<'a> Writer<'a> {
    pub(in crate::kb) fn new(out: &'a mut dyn Write) -> io::Result<Self> {
        let mut writer = Self { out, hasher: Hasher::default(), dimensions: 0, groups: Vec::new() };
        writer.put(MAGIC)?;
        Ok(writer)
    }

    /// Length of the vectors; 0 before the first.
    pub(in crate::kb) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Adds one vector, whatever its norm.
    pub(in crate::kb) fn push(&mut self, scope: &str, chunk: &str, vector: &[f32]) -> io::Result<()> {
        let refuse = |reason: String| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        if self.dimensions == 0 {
            self.dimensions = vector.len();
        }
        if vector.len() != self.dimensions {
            return refuse(format!("`{chunk}` has a vector of {} dimensions, not {}", vector.len(), self.dimensions));
        }
        let Some(unit) = unit(vector) else { return refuse(format!("`{chunk}` has a vector without direction")) };
        let bytes: Vec<u8> = unit.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.put(&bytes)?;
        match self.groups.last_mut() {
            Some(group) if group.scope == scope => group.chunks.push(chunk.to_owned()),
            _ => self.groups.push(ManifestGroup { scope: scope.to_owned(), chunks: vec![chunk.to_owned()] }),
        }
        Ok(())
    }

    pub(in crate::kb) fn finish(mut self, origin: &Origin) -> io::Result<()> {
        let groups = std::mem::take(&mut self.groups);
        let manifest = Manifest { origin: origin.clone(), dimensions: self.dimensions, groups };
        let manifest = serde_json::to_vec(&manifest)?;
        self.put(&manifest)?;
        self.put(&(manifest.len() as u64).to_le_bytes())?;
        let checksum = self.hasher.finish();
        self.out.write_all(checksum.as_str().as_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.raw(bytes);
        self.out.write_all(bytes)
    }
}

pub(super) fn read(path: &Path, is_wanted: impl FnOnce(&Origin) -> bool) -> Result<Option<DenseVectors>, DenseError> {
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DenseError::Missing,
        _ => DenseError::Read(error),
    })?;
    let (manifest_bytes, checksum, rows_end) = read_end(&mut file)?;
    let damaged = |reason: &str| DenseError::Damaged { reason: reason.to_owned() };
    let manifest: Manifest = serde_json::from_slice(&manifest_bytes).map_err(|error| damaged(&error.to_string()))?;
    if !is_wanted(&manifest.origin) {
        return Ok(None);
    }
    let start = MAGIC.len() as u64;
    let row_bytes = manifest.dimensions.saturating_mul(4);
    let (groups, chunks) = rows_of(manifest.groups);
    if Some(rows_end - start) != (chunks.len() as u64).checked_mul(row_bytes as u64) {
        return Err(damaged("its length is not that of its rows"));
    }
    let mut bytes = Vec::with_capacity(chunks.len() * manifest.dimensions);
    let mut scales = Vec::with_capacity(chunks.len());
    let mut hasher = Hasher::default();
    let mut magic = [0; MAGIC.len()];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(damaged("it is of another format"));
    }
    hasher.raw(&magic);
    let mut values = Vec::with_capacity(manifest.dimensions);
    let mut left = chunks.len();
    let mut block = Vec::new();
    while left > 0 {
        let rows = left.min(BLOCK);
        block.resize(rows * row_bytes, 0);
        file.read_exact(&mut block)?;
        hasher.raw(&block);
        for row in block.chunks_exact(row_bytes.max(1)) {
            values.clear();
            values.extend(row.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            scales.push(quantize(&values, &mut bytes));
        }
        left -= rows;
    }
    hasher.raw(&manifest_bytes).raw(&(manifest_bytes.len() as u64).to_le_bytes());
    if hasher.finish() != checksum {
        return Err(damaged("its checksum differs"));
    }
    let exact = RowFile::new(file, start, row_bytes);
    let Manifest { origin, dimensions, .. } = Manifest { groups: Vec::new(), ..manifest };
    Ok(Some(DenseVectors { origin, dimensions, groups, chunks, bytes, scales, exact, checksum }))
}

/// The checksum that a file of vectors ends with: equal ones hold the same vectors.
pub(in crate::kb) fn checksum(path: &Path) -> Option<ContentHash> {
    let mut file = File::open(path).ok()?;
    read_end(&mut file).ok().map(|(_, checksum, _)| checksum)
}

/// The manifest, the checksum, and where the rows end.
fn read_end(file: &mut File) -> Result<(Vec<u8>, ContentHash, u64), DenseError> {
    let cut = || DenseError::Damaged { reason: "it is cut short".to_owned() };
    let end = LENGTH_BYTES + CHECKSUM_BYTES;
    let length = file.metadata()?.len();
    let before_end = length.checked_sub(end).ok_or_else(cut)?;
    file.seek(SeekFrom::Start(before_end))?;
    let mut manifest_length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut manifest_length)?;
    let mut checksum = String::new();
    file.read_to_string(&mut checksum).map_err(|_| cut())?;
    let manifest_length = u64::from_le_bytes(manifest_length);
    let rows_end = before_end.checked_sub(manifest_length).filter(|end| *end >= MAGIC.len() as u64).ok_or_else(cut)?;
    file.seek(SeekFrom::Start(rows_end))?;
    let mut manifest = vec![0; manifest_length as usize];
    file.read_exact(&mut manifest)?;
    Ok((manifest, ContentHash::from_stored(checksum), rows_end))
}

fn rows_of(manifest: Vec<ManifestGroup>) -> (Vec<Group>, Vec<String>) {
    let mut chunks = Vec::new();
    let mut groups = Vec::with_capacity(manifest.len());
    for group in manifest {
        let first = chunks.len();
        chunks.extend(group.chunks);
        groups.push(Group { scope: group.scope, rows: first..chunks.len() });
    }
    (groups, chunks)
}

use std::io::Write;
use std::path::Path;

use super::features::{FEATURE_COUNT, decode};

const FILE: &str = "features.df";
const MAGIC: &[u8; 8] = b"tollgdf1";
const HEADER_BYTES: usize = 32;

/// In how many live chunks each feature occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kb) struct Frequencies {
    chunks: u64,
    in_chunks: Vec<u32>,
}

impl Default for Frequencies {
    fn default() -> Self {
        Self { chunks: 0, in_chunks: vec![0; FEATURE_COUNT] }
    }
}

impl Frequencies {
    /// Counts an encoded vector that `chunks` chunks have.
    pub(in crate::kb) fn add(&mut self, vector: &[u8], chunks: u32) {
        self.chunks += u64::from(chunks);
        if chunks > 0 {
            for (feature, _) in decode(vector) {
                if let Some(count) = self.in_chunks.get_mut(feature as usize) {
                    *count += chunks;
                }
            }
        }
    }

    /// The square of a feature's inverse document frequency, 1 + ln((N + 1) / (n + 1)): the weight that it has in a product
    /// of two vectors.
    ///
    /// Source: Salton & Buckley (1988), Term-weighting approaches in automatic text retrieval, smoothed as if one more
    /// chunk had every feature, so that a feature which is everywhere still counts.
    pub(super) fn squared_idf(&self, feature: u32) -> f32 {
        let in_chunks = self.in_chunks.get(feature as usize).copied().unwrap_or(0);
        let idf = 1.0 + ((self.chunks + 1) as f32 / (in_chunks + 1) as f32).ln();
        idf * idf
    }

    /// The counts cached for this commit; `None` when there are none, or the file is of another commit or damaged.
    pub(in crate::kb) fn read(directory: &Path, opstamp: u64) -> Option<Self> {
        let bytes = std::fs::read(directory.join(FILE)).ok()?;
        let (header, counts) = bytes.split_at_checked(HEADER_BYTES)?;
        let chunks = u64::from_le_bytes(header.get(16..24)?.try_into().ok()?);
        if counts.len() != FEATURE_COUNT * 4 {
            return None;
        }
        let in_chunks = counts.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let frequencies = Self { chunks, in_chunks };
        (header == frequencies.header(opstamp)).then_some(frequencies)
    }

    /// Caches the counts for this commit.
    pub(in crate::kb) fn write(&self, directory: &Path, opstamp: u64) -> std::io::Result<()> {
        let temporary = directory.join(format!("{FILE}.{}.tmp", std::process::id()));
        let mut file = std::io::BufWriter::new(std::fs::File::create(&temporary)?);
        file.write_all(&self.header(opstamp))?;
        for count in &self.in_chunks {
            file.write_all(&count.to_le_bytes())?;
        }
        file.flush()?;
        drop(file);
        std::fs::rename(temporary, directory.join(FILE))
    }

    fn header(&self, opstamp: u64) -> [u8; HEADER_BYTES] {
        let check = self.in_chunks.iter().fold(self.chunks, |check, count| check.rotate_left(5) ^ u64::from(*count));
        let mut header = [0; HEADER_BYTES];
        let fields = [*MAGIC, opstamp.to_le_bytes(), self.chunks.to_le_bytes(), check.to_le_bytes()];
        for (byte, value) in header.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = value;
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::{Features, features_of_chunk};
    use super::*;

    fn counted() -> Frequencies {
        let mut frequencies = Frequencies::default();
        frequencies.add(&features_of_chunk("", "budget cap").encode(), 3);
        frequencies.add(&features_of_chunk("", "budget").encode(), 1);
        frequencies.add(&features_of_chunk("", "deleted").encode(), 0);
        frequencies
    }

    #[test]
    fn rare_features_weigh_more() {
        let frequencies = counted();
        let idf = |word: &str| frequencies.squared_idf(Features::of_query(word).0[0].0).sqrt();
        assert_eq!(frequencies.chunks, 4);
        assert!((idf("budget") - 1.0).abs() < 1e-6);
        assert!((idf("cap") - (1.0 + 1.25_f32.ln())).abs() < 1e-6);
        assert!((idf("unseen") - (1.0 + 5_f32.ln())).abs() < 1e-6);
    }

    #[test]
    fn the_cache_serves_only_its_own_commit_and_only_whole() {
        let directory = tempfile::tempdir().unwrap();
        counted().write(directory.path(), 7).unwrap();
        assert_eq!(Frequencies::read(directory.path(), 7), Some(counted()));
        assert_eq!(Frequencies::read(directory.path(), 8), None);
        let path = directory.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[HEADER_BYTES + 100] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Frequencies::read(directory.path(), 7), None);
        std::fs::write(&path, &bytes[..1000]).unwrap();
        assert_eq!(Frequencies::read(directory.path(), 7), None);
    }
}

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::domain::ContentHash;

/// Vectors of texts that are gone are forgotten once they are this many times as many as those in use.
const WORN: u64 = 2;
/// Fewer vectors than this are never worth forgetting.
const FEW: u64 = 1_000;

impl Store {
    /// The vectors that `embedder` made for texts with these hashes, in their order; `None` where there is none yet.
    pub fn embeddings(&self, embedder: &str, texts: &[&ContentHash]) -> Result<Vec<Option<Vec<f32>>>, StoreError> {
        self.cache.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT vector FROM embeddings WHERE embedder = ?1 AND content_hash = ?2")?;
            let mut find = |hash: &&ContentHash| {
                let vector = |row: &rusqlite::Row<'_>| Ok(decode(row.get_ref(0)?.as_blob()?));
                Ok(statement.query_row([embedder, hash.as_str()], vector).optional()?)
            };
            texts.iter().map(&mut find).collect()
        })
    }

    /// Keeps vectors that `embedder` made, so that nobody pays for them twice.
    pub async fn put_embeddings(
        &self,
        embedder: &str,
        vectors: Vec<(ContentHash, Vec<f32>)>,
    ) -> Result<(), StoreError> {
        let embedder = embedder.to_owned();
        self.cache
            .write(move |connection| {
                let mut insert = connection.prepare_cached(
                    "INSERT OR REPLACE INTO embeddings (embedder, content_hash, vector) VALUES (?1, ?2, ?3)",
                )?;
                for (hash, vector) in &vectors {
                    insert.execute(params![embedder, hash.as_str(), encode(vector)])?;
                }
                Ok(())
            })
            .await
    }

    /// Forgets `embedder`'s vectors of texts other than `used`, once they have become many; returns how many.
    ///
    /// Not at once: a document that is put back, or a branch that is switched to again, then costs nothing.
    pub async fn forget_unused_embeddings(&self, embedder: &str, used: &[&ContentHash]) -> Result<u64, StoreError> {
        let kept = self.cache.read(|connection| {
            let mut count = connection.prepare_cached("SELECT count(*) FROM embeddings WHERE embedder = ?1")?;
            Ok(count.query_row([embedder], |row| row.get::<_, u64>(0))?)
        })?;
        let in_use = used.len() as u64;
        if kept.saturating_sub(in_use) <= FEW.max(in_use.saturating_mul(WORN)) {
            return Ok(0);
        }
        let embedder = embedder.to_owned();
        let used = serde_json::json!(used.iter().map(|hash| hash.as_str()).collect::<Vec<_>>()).to_string();
        self.cache
            .write(move |connection| {
                let forgotten = connection
                    .prepare_cached(
                        "DELETE FROM embeddings WHERE embedder = ?1
                         AND content_hash NOT IN (SELECT value FROM json_each(?2))",
                    )?
                    .execute([embedder, used])?;
                Ok(forgotten as u64)
            })
            .await
    }
}

/// Little-endian floats, one after the other.
fn encode(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn decode(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &tempfile::TempDir) -> Store {
        Store::open(&directory.path().join("t.db")).unwrap()
    }

    #[tokio::test]
    async fn vectors_come_back_to_the_bit_in_the_order_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        let [one, two, three] = [b"1", b"2", b"3"].map(|text| ContentHash::of(text));
        let vectors = [vec![0.1_f32, -3.5e-20, 1.0], vec![f32::MIN_POSITIVE, 0.0, -1.0]];
        let put = vec![(one.clone(), vectors[0].clone()), (two.clone(), vectors[1].clone())];
        store.put_embeddings("mini", put).await.unwrap();
        drop(store);
        let found = open(&directory).embeddings("mini", &[&two, &three, &one]).unwrap();
        assert_eq!(found, [Some(vectors[1].clone()), None, Some(vectors[0].clone())]);
        assert_eq!(open(&directory).embeddings("other", &[&one]).unwrap(), [None]);
    }

    #[tokio::test]
    async fn vectors_of_texts_long_gone_are_forgotten_and_others_never() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        let hashes: Vec<ContentHash> = (0..1_100_u32).map(|n| ContentHash::of(&n.to_le_bytes())).collect();
        let all: Vec<_> = hashes.iter().map(|hash| (hash.clone(), vec![1.0])).collect();
        store.put_embeddings("mini", all.clone()).await.unwrap();
        store.put_embeddings("other", all).await.unwrap();
        let used: Vec<&ContentHash> = hashes.iter().take(600).collect();
        assert_eq!(store.forget_unused_embeddings("mini", &used).await.unwrap(), 0);
        assert_eq!(store.forget_unused_embeddings("mini", &used[..50]).await.unwrap(), 1_050);
        let left = store.embeddings("mini", &used).unwrap();
        assert_eq!(left.iter().flatten().count(), 50);
        assert_eq!(store.embeddings("other", &used).unwrap().iter().flatten().count(), 600);
    }
}

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocSet, Opstamp, TERMINATED, Term};

use super::query::Query;
use super::{DenseError, DenseVectors, RERANK};
use crate::kb::index::{IndexError, Snapshot};
use crate::kb::vector::VectorSide;

/// Dense vectors with the places of their chunks in one commit of the index.
pub(in crate::kb) struct LocatedVectors {
    vectors: Arc<DenseVectors>,
    opstamp: Opstamp,
    /// By row; `None` for a chunk that the index does not have (any more).
    addresses: Vec<Option<DocAddress>>,
    rows: HashMap<DocAddress, usize>,
}

impl LocatedVectors {
    /// Finds the chunk of each vector among the live chunks that the index has under the vector's own scope.
    pub(in crate::kb) fn new(vectors: Arc<DenseVectors>, snapshot: &Snapshot) -> Result<Self, IndexError> {
        let row_of: HashMap<&[u8], usize> =
            vectors.chunks.iter().enumerate().map(|(row, chunk)| (chunk.as_bytes(), row)).collect();
        let mut addresses = vec![None; vectors.len()];
        for (segment, reader, chunks) in snapshot.segments() {
            let mut rows_by_rank = Vec::with_capacity(chunks.num_terms());
            let mut ids = chunks.dictionary().stream()?;
            while ids.advance() {
                rows_by_rank.push(row_of.get(ids.key()).copied());
            }
            let scopes = reader.inverted_index(snapshot.fields.scope)?;
            let alive = reader.alive_bitset();
            for group in &vectors.groups {
                let scope = Term::from_field_text(snapshot.fields.scope, &group.scope);
                let Some(mut in_scope) = scopes.read_postings(&scope, IndexRecordOption::Basic)? else { continue };
                let mut doc = in_scope.doc();
                while doc != TERMINATED {
                    let rank = chunks.ords().first(doc).and_then(|rank| usize::try_from(rank).ok());
                    let row = rank.and_then(|rank| rows_by_rank.get(rank).copied().flatten());
                    if let Some(row) = row.filter(|row| group.rows.contains(row))
                        && alive.is_none_or(|alive| alive.is_alive(doc))
                        && let Some(address) = addresses.get_mut(row)
                    {
                        *address = Some(DocAddress::new(segment, doc));
                    }
                    doc = in_scope.advance();
                }
            }
        }
        let rows = (0..).zip(&addresses).filter_map(|(row, address)| Some(((*address)?, row))).collect();
        Ok(Self { vectors, opstamp: snapshot.opstamp, addresses, rows })
    }

    /// The commit that they are located in.
    pub(in crate::kb) fn opstamp(&self) -> Opstamp {
        self.opstamp
    }

    pub(in crate::kb) fn vectors(&self) -> &Arc<DenseVectors> {
        &self.vectors
    }
}

/// One query against the dense vectors of the visible chunks.
pub(in crate::kb) struct DenseSide<'a> {
    located: &'a LocatedVectors,
    scopes: &'a [&'a str],
    query: Query,
}

impl<'a> DenseSide<'a> {
    pub(in crate::kb) fn new(
        located: &'a LocatedVectors,
        query: &[f32],
        scopes: &'a [&'a str],
    ) -> Result<Self, DenseError> {
        Ok(Self { located, scopes, query: Query::new(query, located.vectors.dimensions)? })
    }
}

impl VectorSide for DenseSide<'_> {
    /// The nearest by their bytes; `similarities` then scores them exactly.
    fn candidates(&self, limit: usize) -> Result<Vec<DocAddress>, IndexError> {
        let rows = self.located.vectors.scan(&self.query, self.scopes, limit.max(RERANK));
        Ok(rows.into_iter().filter_map(|row| self.located.addresses.get(row).copied().flatten()).collect())
    }

    /// The cosine, and 0 where it is negative or the chunk has no vector yet.
    fn similarities(&self, chunks: &[DocAddress]) -> Result<Vec<f64>, IndexError> {
        let mut row_bytes = Vec::new();
        let mut similarity = |chunk: &DocAddress| match self.located.rows.get(chunk) {
            Some(row) => {
                let cosine =
                    self.located.vectors.cosine(&self.query, *row, &mut row_bytes).map_err(DenseError::from)?;
                Ok(f64::from(cosine.max(0.0)))
            }
            None => Ok(0.0),
        };
        chunks.iter().map(&mut similarity).collect()
    }
}

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tantivy::columnar::{BytesColumn, StrColumn};
use tantivy::schema::{TantivyDocument, Value};
use tantivy::{
    DocAddress, DocId, Index, IndexReader, Opstamp, Searcher, SegmentOrdinal, SegmentReader, TantivyError, Term,
};

use super::IndexError;
use super::schema::{CHUNK_COLUMN, Fields, VECTOR_COLUMN};
use crate::kb::vector::Frequencies;

/// The index as one commit left it; what all parts of one search look at.
pub(in crate::kb) struct Snapshot {
    pub(in crate::kb) searcher: Searcher,
    pub(in crate::kb) fields: Fields,
    pub(in crate::kb) opstamp: Opstamp,
    columns: Vec<Columns>,
    directory: Option<PathBuf>,
    frequencies: OnceLock<Frequencies>,
}

/// The columns of one segment.
struct Columns {
    chunk: StrColumn,
    vector: BytesColumn,
}

/// What is stored of a chunk.
pub(super) struct Stored {
    pub(super) chunk: String,
    pub(super) document: String,
    pub(super) heading: String,
}

impl Snapshot {
    pub(super) fn take(
        index: &Index,
        reader: &IndexReader,
        fields: Fields,
        directory: Option<&Path>,
    ) -> Result<Self, IndexError> {
        let searcher = reader.searcher();
        let columns = searcher.segment_readers().iter().map(columns).collect::<Result<_, _>>()?;
        Ok(Self {
            searcher,
            fields,
            opstamp: index.load_metas()?.opstamp,
            columns,
            directory: directory.map(Path::to_owned),
            frequencies: OnceLock::new(),
        })
    }

    /// The segments with their columns of chunk ids.
    pub(in crate::kb) fn segments(&self) -> impl Iterator<Item = (SegmentOrdinal, &SegmentReader, &StrColumn)> {
        let columns = self.columns.iter().map(|columns| &columns.chunk);
        (0..).zip(self.searcher.segment_readers()).zip(columns).map(|((at, reader), chunk)| (at, reader, chunk))
    }

    /// In how many chunks each feature occurs: from the cache file of this commit, or counted (and then cached).
    pub(in crate::kb) fn frequencies(&self) -> Result<&Frequencies, IndexError> {
        if let Some(frequencies) = self.frequencies.get() {
            return Ok(frequencies);
        }
        let cached = self.directory.as_deref().and_then(|directory| Frequencies::read(directory, self.opstamp));
        let frequencies = if let Some(frequencies) = cached {
            frequencies
        } else {
            let counted = self.count_frequencies()?;
            if let Some(directory) = &self.directory {
                // Only a cache: when it cannot be written, the next process counts again.
                let _ = counted.write(directory, self.opstamp);
            }
            counted
        };
        Ok(self.frequencies.get_or_init(|| frequencies))
    }

    fn count_frequencies(&self) -> Result<Frequencies, IndexError> {
        let mut frequencies = Frequencies::default();
        for (reader, columns) in self.searcher.segment_readers().iter().zip(&self.columns) {
            // Equal vectors are stored once; deleted chunks stay in the column until their segment is merged.
            let mut chunks_of_vector = vec![0_u32; columns.vector.num_terms()];
            for doc in reader.doc_ids_alive() {
                let ordinal = columns.vector.ords().first(doc).and_then(|ordinal| usize::try_from(ordinal).ok());
                if let Some(chunks) = ordinal.and_then(|ordinal| chunks_of_vector.get_mut(ordinal)) {
                    *chunks += 1;
                }
            }
            let mut vectors = columns.vector.dictionary().stream()?;
            for chunks in chunks_of_vector {
                if !vectors.advance() {
                    break;
                }
                frequencies.add(vectors.key(), chunks);
            }
        }
        Ok(frequencies)
    }

    /// The chunk's encoded vector, into `bytes`.
    pub(in crate::kb) fn vector(&self, address: DocAddress, bytes: &mut Vec<u8>) -> Result<(), IndexError> {
        bytes.clear();
        if let Some(columns) = self.columns.get(address.segment_ord as usize)
            && let Some(ordinal) = columns.vector.ords().first(address.doc_id)
        {
            columns.vector.ord_to_bytes(ordinal, bytes)?;
        }
        Ok(())
    }

    /// The rank of the chunk's id among the ids of its segment.
    pub(super) fn id_rank(&self, segment: SegmentOrdinal, doc: DocId) -> u64 {
        self.columns.get(segment as usize).and_then(|columns| columns.chunk.ords().first(doc)).unwrap_or(u64::MAX)
    }

    pub(super) fn chunk_id(&self, address: DocAddress) -> Result<String, IndexError> {
        let mut id = String::new();
        if let Some(columns) = self.columns.get(address.segment_ord as usize) {
            columns.chunk.ord_to_str(self.id_rank(address.segment_ord, address.doc_id), &mut id)?;
        }
        Ok(id)
    }

    pub(super) fn stored(&self, address: DocAddress) -> Result<Stored, IndexError> {
        let document: TantivyDocument = self.searcher.doc(address)?;
        let text = |field| document.get_first(field).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        Ok(Stored {
            chunk: text(self.fields.chunk),
            document: text(self.fields.document),
            heading: text(self.fields.title),
        })
    }

    /// How many chunks these scopes hold.
    pub(super) fn chunks_in(&self, scopes: &[&str]) -> Result<u64, IndexError> {
        let mut chunks = 0;
        for scope in scopes {
            chunks += self.searcher.doc_freq(&Term::from_field_text(self.fields.scope, scope))?;
        }
        Ok(chunks)
    }
}

fn columns(segment: &SegmentReader) -> Result<Columns, IndexError> {
    let missing = |name: &str| TantivyError::SchemaError(format!("a segment has no column `{name}`"));
    let columns = segment.fast_fields();
    Ok(Columns {
        chunk: columns.str(CHUNK_COLUMN)?.ok_or_else(|| missing(CHUNK_COLUMN))?,
        vector: columns.bytes(VECTOR_COLUMN)?.ok_or_else(|| missing(VECTOR_COLUMN))?,
    })
}

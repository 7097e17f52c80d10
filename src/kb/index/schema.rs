use tantivy::TantivyDocument;
use tantivy::schema::{BytesOptions, Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions};

use super::tokenizer::{NAME, scoped};
use super::{IndexChunk, IndexError};
use crate::kb::vector::features_of_chunk;

/// Names the fields, the words and the vectors: change it whenever one of them is made differently.
pub(super) const FORMAT: &str = "tollgate-index-1";

/// Stands between scope and word in a term; neither holds it.
pub(in crate::kb) const SEPARATOR: char = '\0';

/// The index's fields.
#[derive(Debug, Clone, Copy)]
pub(in crate::kb) struct Fields {
    pub(super) chunk: Field,
    pub(super) document: Field,
    pub(in crate::kb) scope: Field,
    /// The heading as it is, to be shown.
    pub(super) title: Field,
    /// The heading's words.
    pub(in crate::kb) heading: Field,
    /// The text's words.
    pub(in crate::kb) body: Field,
    pub(super) vector: Field,
}

/// The column with the chunks' encoded vectors.
pub(in crate::kb) const VECTOR_COLUMN: &str = "vector";
/// The column with the chunks' ids.
pub(super) const CHUNK_COLUMN: &str = "chunk";

pub(super) fn schema() -> Schema {
    let words = || {
        let indexing = TextFieldIndexing::default().set_tokenizer(NAME).set_index_option(IndexRecordOption::WithFreqs);
        TextOptions::default().set_indexing_options(indexing)
    };
    let mut builder = Schema::builder();
    builder.add_text_field(CHUNK_COLUMN, TextOptions::default().set_stored().set_fast("raw"));
    builder.add_text_field("document", STRING | STORED);
    builder.add_text_field("scope", STRING);
    builder.add_text_field("title", STORED);
    builder.add_text_field("heading", words());
    builder.add_text_field("body", words());
    builder.add_bytes_field(VECTOR_COLUMN, BytesOptions::default().set_fast());
    builder.build()
}

impl Fields {
    pub(super) fn of(schema: &Schema) -> Result<Self, IndexError> {
        Ok(Self {
            chunk: schema.get_field(CHUNK_COLUMN)?,
            document: schema.get_field("document")?,
            scope: schema.get_field("scope")?,
            title: schema.get_field("title")?,
            heading: schema.get_field("heading")?,
            body: schema.get_field("body")?,
            vector: schema.get_field(VECTOR_COLUMN)?,
        })
    }

    pub(super) fn document_of(&self, chunk: &IndexChunk) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_text(self.chunk, &chunk.id);
        document.add_text(self.document, &chunk.document);
        document.add_text(self.scope, &chunk.scope);
        document.add_text(self.title, &chunk.heading);
        document.add_text(self.heading, scoped(&chunk.scope, &chunk.heading));
        document.add_text(self.body, scoped(&chunk.scope, &chunk.text));
        document.add_bytes(self.vector, &features_of_chunk(&chunk.heading, &chunk.text).encode());
        document
    }
}

use serde::{Deserialize, Serialize};

use crate::domain::ContentHash;

/// A baseline that was accepted: what later changes are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BlessedBaseline {
    /// The file that was written, from the project's directory.
    pub path: String,
    /// The gold set's name.
    pub gold_set: String,
    /// Hash of its content.
    pub gold_hash: ContentHash,
    /// Number of the release.
    pub release: u32,
    /// Hash of the release.
    pub release_hash: ContentHash,
    /// Cases in the file.
    pub cases: u64,
    /// Their mean score by weight; `None` when no case was judged.
    pub score: Option<f64>,
    /// Why it was accepted, in the words of whoever did.
    pub reason: String,
    /// When, RFC 3339.
    pub blessed_at: String,
    /// The baseline that it takes the place of, in words; `None` when there was none.
    pub replaced: Option<String>,
}

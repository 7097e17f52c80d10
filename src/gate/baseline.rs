use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Evidence, GateError};
use crate::domain::{ContentHash, Hasher};

/// The directory of committed baselines, within the project.
pub const BASELINES: &str = "reports/baselines";
/// What a baseline file says it is.
const SCHEMA: &str = "gate_baseline/v1";

/// An accepted state of the assistant, as a file that can be committed: `reports/baselines/<gold set>-<hash>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// `gate_baseline/v1`.
    pub schema: String,
    /// Hash of all else that is written here.
    pub hash: ContentHash,
    /// When it was accepted, RFC 3339.
    pub blessed_at: String,
    /// Why.
    pub reason: String,
    /// What was accepted.
    pub evidence: Evidence,
}

impl Baseline {
    /// Accepts `evidence`.
    pub fn bless(evidence: Evidence, blessed_at: String, reason: String) -> Self {
        Self { schema: SCHEMA.to_owned(), hash: hash(&evidence, &blessed_at, &reason), blessed_at, reason, evidence }
    }

    /// Where it belongs in the project at `root`.
    pub fn path(&self, root: &Path) -> PathBuf {
        // The name came with the evidence, and is no path.
        let plain = |letter: char| if letter.is_alphanumeric() || "-_".contains(letter) { letter } else { '_' };
        let set: String = self.evidence.conditions.gold_set.chars().map(plain).collect();
        let name = format!("{set}-{}.json", self.hash.short());
        root.join(BASELINES).join(name)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a baseline file and checks that it is what was blessed.
    ///
    /// # Errors
    /// [`GateError::UnreadableBaseline`] and [`GateError::BaselineChanged`].
    pub fn read(path: &Path) -> Result<Self, GateError> {
        let unreadable = |reason: String| GateError::UnreadableBaseline { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let baseline: Self = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if baseline.schema != SCHEMA {
            return Err(unreadable(format!("it says that it is a `{}`, not a `{SCHEMA}`", baseline.schema)));
        }
        let found = hash(&baseline.evidence, &baseline.blessed_at, &baseline.reason);
        if found != baseline.hash {
            let (stated, found) = (baseline.hash.short().to_owned(), found.short().to_owned());
            return Err(GateError::BaselineChanged { path: path.to_owned(), stated, found });
        }
        Ok(baseline)
    }

    /// The baselines of the gold set `name` in the project at `root`, the one blessed last first.
    ///
    /// # Errors
    /// As [`Baseline::read`] for any file there: passing one over would compare with another than is meant.
    pub fn of_set(root: &Path, name: &str) -> Result<Vec<(PathBuf, Self)>, GateError> {
        let files = std::fs::read_dir(root.join(BASELINES)).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        let mut found = Vec::new();
        for path in files.filter(is_json) {
            let baseline = Self::read(&path)?;
            if baseline.evidence.conditions.gold_set == name {
                found.push((path, baseline));
            }
        }
        found.sort_by(|one: &(PathBuf, Self), other| (&other.1.blessed_at, &other.0).cmp(&(&one.1.blessed_at, &one.0)));
        Ok(found)
    }
}

fn hash(evidence: &Evidence, blessed_at: &str, reason: &str) -> ContentHash {
    let mut hasher = Hasher::default();
    hasher.field(serde_json::to_string(evidence).unwrap_or_default()).field(blessed_at).field(reason);
    hasher.finish()
}

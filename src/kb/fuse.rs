//! Fuses keyword and vector scores of the same chunks into one ranking score.

use serde::Serialize;

/// How a hit's score came about; `None` where the search mode has no such score.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, schemars::JsonSchema)]
pub struct Components {
    /// BM25, 0 or more; 0 when the chunk has none of the query's words.
    pub bm25: Option<f64>,
    /// Cosine similarity of the vectors, 0..=1.
    pub vector: Option<f64>,
    /// BM25 after min–max normalisation over the candidates, 0..=1.
    pub bm25_scaled: Option<f64>,
    /// The similarity after min–max normalisation over the candidates, 0..=1.
    pub vector_scaled: Option<f64>,
}

/// The fused score (0..=1) and its components of each candidate: `(1 − w) · minmax(bm25) + w · minmax(vector)`.
///
/// Both slices hold the scores of the same candidates in the same order; a side that is `None` counts nothing and the
/// other one counts in full. `vector_weight` is clamped to 0..=1.
///
/// Source: convex combination of normalized scores, Bruch, Gai & Ingber (2023), An Analysis of Fusion Functions for
/// Hybrid Retrieval, ACM TOIS 42(1), §3.
pub(super) fn fuse(bm25: Option<&[f64]>, vector: Option<&[f64]>, vector_weight: f64) -> Vec<(f64, Components)> {
    let weight = match (bm25, vector) {
        (Some(_), Some(_)) => vector_weight.clamp(0.0, 1.0),
        (_, vector) => f64::from(u8::from(vector.is_some())),
    };
    let bm25_scaled = bm25.map(min_max);
    let vector_scaled = vector.map(min_max);
    let count = bm25.or(vector).map_or(0, <[f64]>::len);
    let at = |scores: Option<&[f64]>, place: usize| scores.and_then(|scores| scores.get(place).copied());
    (0..count)
        .map(|place| {
            let components = Components {
                bm25: at(bm25, place),
                vector: at(vector, place),
                bm25_scaled: at(bm25_scaled.as_deref(), place),
                vector_scaled: at(vector_scaled.as_deref(), place),
            };
            let score = (1.0 - weight) * components.bm25_scaled.unwrap_or(0.0)
                + weight * components.vector_scaled.unwrap_or(0.0);
            (score, components)
        })
        .collect()
}

/// Scores mapped linearly so that the lowest becomes 0 and the highest 1; equal scores all become 1, or 0 if they are 0.
fn min_max(scores: &[f64]) -> Vec<f64> {
    let lowest = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scale = |score: &f64| {
        if highest > lowest { (score - lowest) / (highest - lowest) } else { f64::from(u8::from(highest > 0.0)) }
    };
    scores.iter().map(scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(fused: &[(f64, Components)]) -> Vec<f64> {
        fused.iter().map(|(score, _)| *score).collect()
    }

    #[test]
    fn both_sides_are_scaled_to_the_candidates_and_weighted() {
        let fused = fuse(Some(&[12.0, 4.0, 0.0]), Some(&[0.25, 0.75, 0.5]), 0.25);
        assert_eq!(scores(&fused), [0.75, 0.5, 0.125]);
        assert_eq!(fused[1].1.bm25_scaled, Some(4.0 / 12.0));
        assert_eq!(fused[1].1.vector, Some(0.75));
    }

    #[test]
    fn a_single_side_counts_in_full_whatever_the_weight() {
        assert_eq!(scores(&fuse(Some(&[3.0, 1.0]), None, 0.9)), [1.0, 0.0]);
        let vector_only = fuse(None, Some(&[0.1, 0.3]), 0.1);
        assert_eq!(scores(&vector_only), [0.0, 1.0]);
        assert_eq!(vector_only[0].1.bm25, None);
    }

    #[test]
    fn equal_scores_do_not_divide_by_zero() {
        assert_eq!(scores(&fuse(Some(&[2.0]), Some(&[0.5]), 0.5)), [1.0]);
        assert_eq!(scores(&fuse(Some(&[0.0, 0.0]), Some(&[0.5, 0.1]), 0.5)), [0.5, 0.0]);
        assert!(fuse(None, None, 0.5).is_empty());
    }
}

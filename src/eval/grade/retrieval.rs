use crate::domain::Passage;
use crate::gold::RetrievalMetric;

/// How well `passages`, best first, rank what was `expected`, 0..=1; only the first `k` passages count.
///
/// An entry of `expected` names a document or a chunk; a passage matches it by its `document` or its `chunk`.
/// Each distinct entry is found once, at the first passage that matches it: further passages of a document that was
/// already found neither gain nor lose. `None` when nothing is expected. With `rank` counted from 1 over passages:
///
/// - recall@k: entries found among the first k, divided by all entries.
/// - MRR: `1 / rank` of the first passage that matches an entry; 0 when none does.
/// - nDCG@k: the sum of `1 / log2(rank + 1)` over the passages that find an entry, divided by the same sum for the best
///   ranking, which has an entry at each of the ranks `1..=min(k, entries)`.
///
/// Source: Voorhees (1999) for MRR; Järvelin & Kekäläinen (2002), Cumulated Gain-Based Evaluation of IR Techniques, for
/// nDCG, with binary gains and the discount of Burges et al. (2005), which is the one in common use.
pub fn ranking_score(metric: RetrievalMetric, passages: &[Passage], expected: &[String], k: usize) -> Option<f64> {
    let mut missing = distinct(expected);
    let entries = missing.len();
    if entries == 0 {
        return None;
    }
    let mut hits = Vec::new();
    for (rank, passage) in (1..).zip(passages.iter().take(k)) {
        let before = missing.len();
        missing.retain(|entry| passage.document != *entry && passage.chunk != *entry);
        if missing.len() < before {
            hits.push(rank);
        }
    }
    Some(match metric {
        RetrievalMetric::Recall => (entries - missing.len()) as f64 / entries as f64,
        RetrievalMetric::Mrr => hits.first().map_or(0.0, |rank| 1.0 / f64::from(*rank)),
        RetrievalMetric::Ndcg => {
            let ideal = gain((1..).take(entries.min(k)));
            if ideal > 0.0 { gain(hits.into_iter()) / ideal } else { 0.0 }
        }
    })
}

/// The entries without repetitions, in order.
pub(super) fn distinct(expected: &[String]) -> Vec<&str> {
    let mut entries: Vec<&str> = Vec::with_capacity(expected.len());
    for entry in expected {
        if !entries.contains(&entry.as_str()) {
            entries.push(entry);
        }
    }
    entries
}

fn gain(ranks: impl Iterator<Item = u32>) -> f64 {
    ranks.map(|rank| 1.0 / (f64::from(rank) + 1.0).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passages(chunks: &[&str]) -> Vec<Passage> {
        let passage = |chunk: &&str| Passage {
            chunk: (*chunk).to_owned(),
            document: chunk.split('#').next().unwrap().to_owned(),
            heading: String::new(),
            text: String::new(),
            score: None,
        };
        chunks.iter().map(passage).collect()
    }

    fn score(metric: RetrievalMetric, chunks: &[&str], expected: &[&str], k: usize) -> f64 {
        let expected: Vec<String> = expected.iter().map(|&entry| entry.to_owned()).collect();
        ranking_score(metric, &passages(chunks), &expected, k).unwrap()
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn ndcg_is_that_of_scikit_learn() {
        // scikit-learn 1.9.1: ndcg_score([relevance], [descending], k); r is relevant, x is not.
        let ranked = |relevance: &str| -> Vec<String> {
            relevance.chars().enumerate().map(|(at, mark)| format!("{mark}{at}")).collect()
        };
        let cases = [
            ("rxrxx", vec!["r0", "r2"], 5, 0.919_720_789_148_187_7),
            ("xrxrr", vec!["r1", "r3", "r4"], 5, 0.679_731_050_003_765_4),
            ("xxxr", vec!["r3"], 3, 0.0),
            ("xrr", vec!["r1", "r2", "r8", "r9"], 3, 0.530_721_273_977_243_4),
            ("rrr", vec!["r0", "r1", "r2", "r8", "r9"], 2, 1.0),
        ];
        for (relevance, expected, k, ndcg) in cases {
            let chunks = ranked(relevance);
            let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
            near(score(RetrievalMetric::Ndcg, &chunks, &expected, k), ndcg);
        }
    }

    #[test]
    fn recall_and_mrr_look_at_the_first_k_only() {
        let chunks = ["x#1", "b#1", "a#1"];
        near(score(RetrievalMetric::Recall, &chunks, &["a", "b", "c"], 3), 2.0 / 3.0);
        near(score(RetrievalMetric::Recall, &chunks, &["a", "b", "c"], 2), 1.0 / 3.0);
        near(score(RetrievalMetric::Mrr, &chunks, &["a", "b"], 3), 0.5);
        near(score(RetrievalMetric::Mrr, &chunks, &["a"], 2), 0.0);
    }

    #[test]
    fn several_passages_of_one_document_count_once() {
        let repeated = ["a#1", "a#2", "a#3", "b#1"];
        near(score(RetrievalMetric::Recall, &repeated, &["a", "b", "a"], 3), 0.5);
        near(score(RetrievalMetric::Ndcg, &repeated, &["a"], 4), 1.0);
        near(score(RetrievalMetric::Mrr, &repeated, &["b"], 4), 0.25);
    }

    #[test]
    fn a_chunk_is_found_only_by_itself() {
        near(score(RetrievalMetric::Recall, &["a#1", "a#2"], &["a#2"], 1), 0.0);
        near(score(RetrievalMetric::Mrr, &["a#1", "a#2"], &["a#2"], 2), 0.5);
    }

    #[test]
    fn without_expected_documents_there_is_no_score() {
        assert_eq!(ranking_score(RetrievalMetric::Recall, &passages(&["a#1"]), &[], 5), None);
    }
}

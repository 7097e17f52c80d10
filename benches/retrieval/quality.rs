//! Ranking quality against human relevance judgements.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use tollgate::kb::{IndexChunk, SearchIndex, SearchMode, SearchRequest};

use crate::Failure;

#[derive(Deserialize)]
struct Document {
    chunk_link: String,
    chunk_heading: Option<String>,
    text: String,
}

#[derive(Deserialize)]
struct Question {
    question: String,
    correct_chunks: Vec<String>,
}

/// Prints the quality of each mode; returns the questions, which are empty when the data is not there.
pub(crate) fn run(data: &Path) -> Result<Vec<String>, Failure> {
    let (Ok(documents), Ok(questions)) =
        (std::fs::read(data.join("anth_docs.json")), std::fs::read(data.join("anth_eval.json")))
    else {
        println!("quality: skipped, no anth_docs.json and anth_eval.json in {} (set TOLLGATE_DATA)", data.display());
        return Ok(Vec::new());
    };
    let documents: Vec<Document> = serde_json::from_slice(&documents)?;
    let questions: Vec<Question> = serde_json::from_slice(&questions)?;
    let index = SearchIndex::in_memory()?;
    index.update(documents.into_iter().map(chunk), &[])?;
    println!("quality over {} chunks, {} questions", index.chunk_count(), questions.len());
    println!("  {:<10} {:>8} {:>9}", "mode", "nDCG@10", "recall@5");
    for mode in [SearchMode::Keyword, SearchMode::Vector, SearchMode::Hybrid] {
        let (mut ndcg, mut recall) = (0.0, 0.0);
        for question in &questions {
            let found = search(&index, &question.question, mode)?;
            let correct: HashSet<&str> = question.correct_chunks.iter().map(String::as_str).collect();
            ndcg += ndcg_at_10(&found, &correct);
            recall += found.iter().take(5).filter(|chunk| correct.contains(chunk.as_str())).count() as f64
                / correct.len() as f64;
        }
        let count = questions.len() as f64;
        println!("  {:<10} {:>8.3} {:>9.3}", format!("{mode:?}").to_lowercase(), ndcg / count, recall / count);
    }
    Ok(questions.into_iter().map(|question| question.question).collect())
}

fn chunk(document: Document) -> IndexChunk {
    IndexChunk {
        document: document.chunk_link.clone(),
        id: document.chunk_link,
        scope: "shared".to_owned(),
        heading: document.chunk_heading.unwrap_or_default(),
        text: document.text,
    }
}

fn search(index: &SearchIndex, query: &str, mode: SearchMode) -> Result<Vec<String>, Failure> {
    let request = SearchRequest {
        query,
        scopes: &["shared"],
        mode,
        limit: 10,
        candidates: 50,
        vector_weight: 0.5,
        query_vector: None,
    };
    Ok(index.search(&request)?.into_iter().map(|hit| hit.chunk).collect())
}

/// Binary nDCG. Source: Järvelin & Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques.
fn ndcg_at_10(found: &[String], correct: &HashSet<&str>) -> f64 {
    let gain = |place: usize| 1.0 / (place as f64 + 2.0).log2();
    let gained: f64 =
        found.iter().take(10).enumerate().filter(|(_, id)| correct.contains(id.as_str())).map(|(at, _)| gain(at)).sum();
    let best: f64 = (0..correct.len().min(10)).map(gain).sum();
    gained / best
}

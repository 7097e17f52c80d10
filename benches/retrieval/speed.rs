//! CPU time of searching and updating, beside floors that do the least imaginable.

use std::hint::black_box;
use std::time::Duration;

use cpu_time::{ProcessTime, ThreadTime};
use tollgate::kb::{IndexChunk, SearchIndex, SearchMode, SearchRequest};
use tollgate::text;

use crate::{Failure, corpus};

const QUERIES: usize = 500;

pub(crate) fn run(count: usize, questions: &[String]) -> Result<(), Failure> {
    let chunks = corpus::chunks(count)?;
    let words: usize = chunks.iter().map(|chunk| text::words(&text::fold(&chunk.text)).count()).sum();
    println!("\nspeed over {} chunks of {} words (CPU time)", chunks.len(), words / chunks.len().max(1));

    let floor = ProcessTime::now();
    black_box(chunks.iter().map(hash_words).fold(0, u64::wrapping_add));
    let floor = floor.elapsed();
    let directory = tempfile::tempdir()?;
    let index = SearchIndex::open(directory.path())?;
    let queries = queries(&chunks, questions);
    let scanned: Vec<Duration> =
        queries.iter().step_by(queries.len().div_ceil(8)).map(|query| scan(&chunks, query)).collect();
    let scan = scanned.iter().sum::<Duration>() / scanned.len().max(1) as u32;
    let total = chunks.len();
    let ingest = ProcessTime::now();
    index.update(chunks, &[])?;
    let ingest = ingest.elapsed();
    let size: u64 = std::fs::read_dir(directory.path())?
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|meta| meta.len())
        .sum();
    println!(
        "  ingest     {:>8.0} chunks/s   {:.1} x hashing each word once   index {:.2} kB a chunk",
        total as f64 / ingest.as_secs_f64(),
        ingest.as_secs_f64() / floor.as_secs_f64(),
        size as f64 / 1e3 / total as f64,
    );
    println!(
        "  {:<10} {:>8} {:>8} {:>8}   share of a linear scan ({:.0} ms)",
        "mode",
        "p50 ms",
        "p99 ms",
        "max ms",
        ms(scan)
    );
    for mode in [SearchMode::Keyword, SearchMode::Vector, SearchMode::Hybrid] {
        let mut times = Vec::new();
        for round in 0..3 {
            for query in &queries {
                let request = SearchRequest {
                    query,
                    scopes: &["shared", "acme"],
                    mode,
                    limit: 5,
                    candidates: 50,
                    vector_weight: 0.5,
                    query_vector: None,
                };
                let started = ThreadTime::now();
                black_box(index.search(&request)?);
                if round > 0 {
                    times.push(started.elapsed());
                }
            }
        }
        times.sort();
        let at = |share: f64| {
            ms(times.get((share * (times.len() - 1) as f64).round() as usize).copied().unwrap_or_default())
        };
        let name = format!("{mode:?}").to_lowercase();
        println!("  {name:<10} {:>8.2} {:>8.2} {:>8.2}   {:.4}", at(0.5), at(0.99), at(1.0), at(0.5) / ms(scan));
    }
    Ok(())
}

/// Real questions, and sentences of 4 to 16 words from all over the chunks.
fn queries(chunks: &[IndexChunk], questions: &[String]) -> Vec<String> {
    let sentence = |chunk: &IndexChunk| {
        let fits = |sentence: &&&str| (4..=16).contains(&sentence.split_whitespace().count());
        text::sentences(&chunk.text).iter().find(fits).map(|sentence| (*sentence).to_owned())
    };
    let sentences = chunks.iter().step_by((chunks.len() / (2 * QUERIES)).max(1)).filter_map(sentence);
    questions.iter().cloned().chain(sentences).take(QUERIES).collect()
}

/// The floor of an update: every text folded and split, every word hashed, once.
fn hash_words(chunk: &IndexChunk) -> u64 {
    let fnv = |word: &str| {
        word.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    text::words(&text::fold(&chunk.text)).map(fnv).fold(0, u64::wrapping_add)
}

/// The floor of a search: counts the query's words in every text.
fn scan(chunks: &[IndexChunk], query: &str) -> Duration {
    let started = ThreadTime::now();
    let folded = text::fold(query);
    let wanted: Vec<&str> = text::content_words(&folded).collect();
    let count = |chunk: &IndexChunk| text::words(&text::fold(&chunk.text)).filter(|word| wanted.contains(word)).count();
    black_box(chunks.iter().map(count).max());
    started.elapsed()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

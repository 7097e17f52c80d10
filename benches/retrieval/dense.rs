//! CPU time of searching vectors of an embedding model, beside an exact scan of the floats in the same run.

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use tollgate::domain::ContentHash;
use tollgate::kb::{DenseVectors, Origin};

use crate::Failure;

/// Length of the vectors, as MiniLM's.
const DIMENSIONS: usize = 384;
const QUERIES: usize = 200;

pub(crate) fn run(count: usize) -> Result<(), Failure> {
    let mut random = ChaCha12Rng::seed_from_u64(1);
    let vectors: Vec<Vec<f32>> = (0..count).map(|_| unit(&mut random)).collect();
    let ids: Vec<String> = (0..count).map(|number| format!("doc#{number}")).collect();
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("dense.vectors");
    let origin = Origin { embedder: "bench/random".to_owned(), knowledge: ContentHash::of(b"") };
    let rows = ids.iter().zip(&vectors).map(|(id, vector)| ("shared", id.as_str(), vector.as_slice()));
    DenseVectors::write(&path, &origin, rows)?;
    let dense = DenseVectors::open(&path, |_| true)?.ok_or("the vectors are not those that were written")?;
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|_| unit(&mut random)).collect();

    let (mut quantized, mut exact, mut agreed) = (Vec::new(), Vec::new(), 0);
    for query in &queries {
        let started = ThreadTime::now();
        let found = dense.nearest(query, &["shared"], 10)?;
        quantized.push(started.elapsed());
        let started = ThreadTime::now();
        let best = black_box(best_of(&vectors, query));
        exact.push(started.elapsed());
        agreed += usize::from(found.first().map(|(id, _)| *id) == ids.get(best).map(String::as_str));
    }
    println!("\ndense vectors, {count} x {DIMENSIONS} (CPU time)");
    println!("  {:<28} {:>8} {:>8}", "", "p50 ms", "p99 ms");
    let (fast, slow) = (percentiles(quantized), percentiles(exact));
    println!(
        "  {:<28} {:>8.2} {:>8.2}   {:.2} x the exact scan",
        "int8 scan, exact rerank of 40",
        fast.0,
        fast.1,
        fast.0 / slow.0
    );
    println!("  {:<28} {:>8.2} {:>8.2}", "exact scan of the floats", slow.0, slow.1);
    println!("  the nearest is the same in {agreed} of {QUERIES} queries");
    Ok(())
}

fn unit(random: &mut ChaCha12Rng) -> Vec<f32> {
    let values: Vec<f32> = (0..DIMENSIONS).map(|_| random.random::<f32>() - 0.5).collect();
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.into_iter().map(|value| value / norm).collect()
}

/// The floor: every product, in floats, and the best of them.
fn best_of(vectors: &[Vec<f32>], query: &[f32]) -> usize {
    let product = |vector: &Vec<f32>| {
        // Eight sums side by side, which the compiler can vectorize.
        let mut sums = [0.0_f32; 8];
        for (ones, others) in vector.as_chunks::<8>().0.iter().zip(query.as_chunks::<8>().0) {
            for ((sum, one), other) in sums.iter_mut().zip(ones).zip(others) {
                *sum += one * other;
            }
        }
        sums.iter().sum::<f32>()
    };
    let products = vectors.iter().map(product).enumerate();
    products.max_by(|(_, one), (_, other)| one.total_cmp(other)).map_or(0, |(row, _)| row)
}

/// p50 and p99 in milliseconds.
fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |share: f64| times.get((share * (times.len() - 1) as f64).round() as usize).copied().unwrap_or_default();
    (at(0.5).as_secs_f64() * 1e3, at(0.99).as_secs_f64() * 1e3)
}

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::*;
use crate::kb::{IndexChunk, SearchIndex, SearchMode, SearchRequest};

struct Fixture {
    directory: tempfile::TempDir,
    rows: Vec<(String, String, Vec<f32>)>,
}

fn origin() -> Origin {
    Origin { embedder: "mini".into(), knowledge: ContentHash::of(b"knowledge") }
}

impl Fixture {
    fn of(rows: &[(&str, &str, &[f32])]) -> Self {
        let rows = rows.iter().map(|(scope, chunk, vector)| ((*scope).into(), (*chunk).into(), vector.to_vec()));
        Self { directory: tempfile::tempdir().unwrap(), rows: rows.collect() }
    }

    /// `count` random vectors in each scope.
    fn random(scopes: &[&str], count: usize, dimensions: usize) -> Self {
        let mut random = ChaCha12Rng::seed_from_u64(7);
        let mut rows = Vec::new();
        for scope in scopes {
            for n in 0..count {
                rows.push(((*scope).to_owned(), format!("{scope}-{n}"), random_vector(&mut random, dimensions)));
            }
        }
        Self { directory: tempfile::tempdir().unwrap(), rows }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("dense.vectors")
    }

    fn write(&self) -> std::io::Result<()> {
        let rows = self.rows.iter().map(|(scope, chunk, vector)| (&**scope, &**chunk, &**vector));
        DenseVectors::write(&self.path(), &origin(), rows)
    }

    fn open(&self) -> DenseVectors {
        self.write().unwrap();
        DenseVectors::open(&self.path(), |found| *found == origin()).unwrap().unwrap()
    }
}

fn random_vector(random: &mut ChaCha12Rng, dimensions: usize) -> Vec<f32> {
    (0..dimensions).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let product = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}

#[test]
fn the_nearest_are_those_of_a_full_comparison_with_their_exact_cosines() {
    let fixture = Fixture::random(&["shared", "acme"], 1_500, 48);
    let vectors = fixture.open();
    let mut random = ChaCha12Rng::seed_from_u64(8);
    for _ in 0..20 {
        let query = random_vector(&mut random, 48);
        let mut all: Vec<(&str, f32)> =
            fixture.rows.iter().map(|(_, chunk, vector)| (chunk.as_str(), cosine(&query, vector))).collect();
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        let found = vectors.nearest(&query, &["acme", "shared"], 10).unwrap();
        assert_eq!(found.len(), 10);
        for ((chunk, score), (expected, exact)) in found.iter().zip(&all) {
            assert_eq!(chunk, expected);
            assert!((score - exact).abs() < 1e-5, "{score} {exact}");
        }
    }
}

#[test]
fn a_scan_walks_only_through_the_scopes_it_may_see() {
    let fixture = Fixture::random(&["acm", "acme", "shared"], 30, 16);
    let vectors = fixture.open();
    let (_, _, secret) = fixture.rows.iter().find(|(scope, ..)| scope == "acme").unwrap();
    let found = |scopes: &[&str]| {
        vectors.nearest(secret, scopes, 1_000).unwrap().into_iter().map(|(chunk, _)| chunk).collect::<Vec<_>>()
    };
    assert_eq!(found(&["shared", "acme"]).len(), 60);
    assert_eq!(found(&["shared", "acme"])[0], "acme-0");
    assert!(found(&["shared", "acm"]).iter().all(|chunk| !chunk.starts_with("acme-")));
    assert_eq!(found(&["acm", "acm"]).len(), 30);
    assert!(found(&[]).is_empty() && found(&["", "ac"]).is_empty());
}

#[test]
fn equal_vectors_come_in_their_order_and_no_limit_is_too_large_or_small() {
    let same: &[f32] = &[1.0, 1.0];
    let names: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let rows: Vec<(&str, &str, &[f32])> = names.iter().map(|name| ("shared", name.as_str(), same)).collect();
    let vectors = Fixture::of(&rows).open();
    for limit in [0, 1, 40, 41, 199, 200, 900] {
        let found = vectors.nearest(&[2.0, 2.0], &["shared"], limit).unwrap();
        assert_eq!(found.len(), limit.min(200));
        assert!(found.iter().zip(&names).all(|((chunk, score), name)| chunk == name && (score - 1.0).abs() < 1e-6));
    }
}

#[test]
fn any_change_of_the_file_is_noticed() {
    let fixture = Fixture::random(&["shared"], 20, 8);
    fixture.write().unwrap();
    let whole = std::fs::read(fixture.path()).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(fixture.path(), bytes).unwrap();
        matches!(DenseVectors::open(&fixture.path(), |_| true), Err(DenseError::Damaged { .. }))
    };
    assert!(!refused(&whole));
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 4;
        assert!(refused(&changed), "byte {at}");
        assert!(refused(&whole[..at]), "cut at {at}");
    }
    assert!(refused(&[whole.as_slice(), b"more"].concat()));
}

#[test]
fn vectors_of_another_origin_are_left_alone_and_none_is_an_error_of_its_own() {
    let fixture = Fixture::random(&["shared"], 3, 8);
    assert!(matches!(DenseVectors::open(&fixture.path(), |_| true), Err(DenseError::Missing)));
    fixture.write().unwrap();
    assert!(DenseVectors::open(&fixture.path(), |found| found.embedder == "other").unwrap().is_none());
}

#[test]
fn a_file_without_vectors_is_a_file() {
    let vectors = Fixture::of(&[]).open();
    assert!(vectors.is_empty() && vectors.dimensions() == 0);
    assert!(matches!(vectors.nearest(&[1.0], &["shared"], 5), Err(DenseError::QueryLength { expected: 0, found: 1 })));
}

#[test]
fn vectors_that_cannot_be_compared_are_refused_and_the_old_file_stays() {
    let good = Fixture::of(&[("shared", "a", &[0.5, 0.5])]);
    good.write().unwrap();
    let before = std::fs::read(good.path()).unwrap();
    for bad in [&[1.0][..], &[0.0, 0.0], &[1.0, f32::NAN], &[f32::INFINITY, 1.0], &[]] {
        let rows = [("shared", "a", &[0.5_f32, 0.5][..]), ("shared", "b", bad)];
        assert!(DenseVectors::write(&good.path(), &origin(), rows).is_err(), "{bad:?}");
        assert_eq!(std::fs::read(good.path()).unwrap(), before);
    }
    let vectors = good.open();
    assert!(matches!(vectors.nearest(&[f32::NAN, 1.0], &["shared"], 1), Err(DenseError::NoDirection)));
    assert!(matches!(vectors.nearest(&[1.0; 3], &["shared"], 1), Err(DenseError::QueryLength { .. })));
}

fn chunk(id: &str, scope: &str, text: &str) -> IndexChunk {
    let document = id.split('#').next().unwrap().to_owned();
    IndexChunk { id: id.into(), document, scope: scope.into(), heading: String::new(), text: text.into() }
}

fn found(index: &SearchIndex, scopes: &[&str], mode: SearchMode, vector: Option<&[f32]>) -> Vec<(String, Option<f64>)> {
    let request = SearchRequest {
        query: "budget",
        scopes,
        mode,
        limit: 10,
        candidates: 50,
        vector_weight: 0.5,
        query_vector: vector,
    };
    index.search(&request).unwrap().into_iter().map(|hit| (hit.chunk, hit.explain.vector)).collect()
}

fn named(found: &[(String, Option<f64>)]) -> Vec<&str> {
    found.iter().map(|(chunk, _)| chunk.as_str()).collect()
}

#[test]
fn candidates_are_those_of_both_sides_and_without_a_query_vector_nothing_changes() {
    let index = SearchIndex::in_memory().unwrap();
    let chunks = [
        chunk("a#x", "shared", "budget"),
        chunk("b#x", "shared", "spending limit"),
        chunk("c#x", "shared", "budget rain"),
    ];
    index.update(chunks, &[]).unwrap();
    let lexical = [SearchMode::Keyword, SearchMode::Vector, SearchMode::Hybrid]
        .map(|mode| found(&index, &["shared"], mode, Some(&[1.0, 0.0])));
    let rows: [(&str, &str, &[f32]); 2] = [("shared", "b#x", &[0.9, 0.1]), ("shared", "a#x", &[0.6, -0.8])];
    index.attach(Some(Arc::new(Fixture::of(&rows).open()))).unwrap();
    for (mode, lexical) in [SearchMode::Keyword, SearchMode::Vector, SearchMode::Hybrid].into_iter().zip(lexical) {
        assert_eq!(found(&index, &["shared"], mode, None), lexical, "{mode:?}");
    }
    assert_eq!(named(&found(&index, &["shared"], SearchMode::Keyword, Some(&[1.0, 0.0]))), ["a#x", "c#x"]);
    let dense = found(&index, &["shared"], SearchMode::Vector, Some(&[2.0, 0.0]));
    assert_eq!(named(&dense), ["b#x", "a#x", "c#x"]);
    assert!((dense[1].1.unwrap() - 0.6).abs() < 1e-6);
    assert_eq!(dense[2].1, Some(0.0), "a chunk without a vector is as far as can be");
    assert_eq!(named(&found(&index, &["shared"], SearchMode::Hybrid, Some(&[1.0, 0.0]))), ["a#x", "b#x", "c#x"]);
}

#[test]
fn a_vector_counts_only_for_a_live_chunk_of_its_own_scope_and_commit() {
    let index = SearchIndex::in_memory().unwrap();
    index.update([chunk("a#x", "acme", "swordfish"), chunk("b#x", "shared", "rain")], &[]).unwrap();
    // The file still says that a#x was shared, and knows a chunk that is gone.
    let rows: [(&str, &str, &[f32]); 3] =
        [("shared", "a#x", &[1.0, 0.0]), ("shared", "b#x", &[0.0, 1.0]), ("shared", "gone#x", &[1.0, 0.1])];
    let vectors = Arc::new(Fixture::of(&rows).open());
    index.attach(Some(Arc::clone(&vectors))).unwrap();
    assert_eq!(named(&found(&index, &["shared"], SearchMode::Vector, Some(&[1.0, 0.0]))), ["b#x"]);
    assert_eq!(named(&found(&index, &["shared", "acme"], SearchMode::Vector, Some(&[1.0, 0.0]))), ["b#x"]);
    index.update([chunk("b#x", "acme", "rain")], &[]).unwrap();
    assert!(index.dense().is_none(), "located in another commit");
    assert!(found(&index, &["shared"], SearchMode::Vector, Some(&[1.0, 0.0])).is_empty());
    index.attach(Some(vectors)).unwrap();
    assert!(found(&index, &["shared"], SearchMode::Vector, Some(&[1.0, 0.0])).is_empty());
}

#[test]
fn chunks_are_located_across_segments_and_deletions() {
    let index = SearchIndex::in_memory().unwrap();
    for round in 0..4 {
        let chunks = (0..5).map(|n| chunk(&format!("d{n}#{round}"), ["shared", "acme"][n % 2], "budget"));
        index.update(chunks, &[]).unwrap();
        index.update([chunk(&format!("e{round}#a"), "shared", "budget")], &[]).unwrap();
    }
    index.update([], &["e1".to_owned()]).unwrap();
    let rows: Vec<(String, String)> = (0..4)
        .flat_map(|round| (0..5).map(move |n| (["shared", "acme"][n % 2].to_owned(), format!("d{n}#{round}"))))
        .chain((0..4).map(|round| ("shared".to_owned(), format!("e{round}#a"))))
        .collect();
    let rows: Vec<(&str, &str, &[f32])> =
        rows.iter().map(|(s, c)| (s.as_str(), c.as_str(), &[1.0_f32, 0.0][..])).collect();
    index.attach(Some(Arc::new(Fixture::of(&rows).open()))).unwrap();
    let shared = found(&index, &["shared"], SearchMode::Vector, Some(&[1.0, 0.0]));
    assert_eq!(named(&shared), ["d0#3", "d2#3", "d4#3", "e0#a", "e2#a", "e3#a"]);
    assert!(shared.iter().all(|(_, similarity)| *similarity == Some(1.0)));
}

use super::*;

fn chunk(id: &str, scope: &str, heading: &str, text: &str) -> IndexChunk {
    let document = id.split('#').next().unwrap_or(id);
    let owned = str::to_owned;
    IndexChunk {
        id: owned(id),
        document: owned(document),
        scope: owned(scope),
        heading: owned(heading),
        text: owned(text),
    }
}

fn index_of(chunks: &[IndexChunk]) -> SearchIndex {
    let index = SearchIndex::in_memory().unwrap();
    index.update(chunks.to_vec(), &[]).unwrap();
    index
}

fn search(index: &SearchIndex, query: &str, scopes: &[&str], mode: SearchMode) -> Vec<Hit> {
    let request =
        SearchRequest { query, scopes, mode, limit: 10, candidates: 50, vector_weight: 0.5, query_vector: None };
    index.search(&request).unwrap()
}

fn ids(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.chunk.as_str()).collect()
}

const MODES: [SearchMode; 3] = [SearchMode::Keyword, SearchMode::Vector, SearchMode::Hybrid];

fn manual() -> Vec<IndexChunk> {
    vec![
        chunk(
            "api.md#keys",
            "shared",
            "API > Keys",
            "An idempotency key makes a repeated request safe. Send the key as a header.",
        ),
        chunk(
            "api.md#limits",
            "shared",
            "API > Limits",
            "A tenant may send sixty requests a minute before the server answers 429.",
        ),
        chunk("cost.md#budgets", "shared", "Cost > Budgets", "A budget caps what a tenant spends in a month."),
        chunk("cost.md#alerts", "shared", "Cost > Alerts", "Alerts are mailed when spending nears the budget."),
    ]
}

#[test]
fn every_mode_finds_the_chunk_and_says_why() {
    let index = index_of(&manual());
    for mode in MODES {
        let hits = search(&index, "How do I cap what a tenant spends per month?", &["shared"], mode);
        assert_eq!(hits[0].chunk, "cost.md#budgets", "{mode:?}");
        assert_eq!((hits[0].document.as_str(), hits[0].heading.as_str()), ("cost.md", "Cost > Budgets"));
        assert!((hits[0].score - 1.0).abs() < 1e-9);
        assert!(hits[0].matched_terms.iter().any(|term| term == "month"), "{:?}", hits[0].matched_terms);
        assert_eq!(hits[0].explain.bm25.is_some(), mode != SearchMode::Vector);
        assert_eq!(hits[0].explain.vector.is_some(), mode != SearchMode::Keyword);
    }
}

#[test]
fn a_misspelt_question_finds_its_chunk_by_vectors_only() {
    let index = index_of(&manual());
    assert!(search(&index, "idempotancy kee", &["shared"], SearchMode::Keyword).is_empty());
    for mode in [SearchMode::Vector, SearchMode::Hybrid] {
        let hits = search(&index, "idempotancy kee", &["shared"], mode);
        assert_eq!(hits[0].chunk, "api.md#keys", "{mode:?}");
        assert_eq!(hits[0].matched_terms, ["idempotency"]);
    }
}

#[test]
fn no_mode_shows_a_tenant_the_chunks_of_another() {
    let secret = "The launch code of acme is swordfish, valid for one month.";
    let mut chunks = manual();
    chunks.push(chunk("acme.md#code", "acme", "Launch", secret));
    chunks.push(chunk("acm.md#code", "acm", "Launch", "acm has a launch code too"));
    let index = index_of(&chunks);
    for mode in MODES {
        for query in ["swordfish", "swordfsih", "launch code acme", "acme\0swordfish", secret] {
            for scopes in [&["shared"][..], &["shared", "acm"], &["shared", "acme2"], &["", "shared"], &[]] {
                let hits = search(&index, query, scopes, mode);
                assert!(hits.iter().all(|hit| hit.document != "acme.md"), "{query} {scopes:?} {mode:?}");
                assert!(hits.iter().all(|hit| hit.matched_terms.iter().all(|term| term != "swordfish")));
            }
        }
        assert_eq!(search(&index, "swordfish", &["shared", "acme"], mode)[0].chunk, "acme.md#code");
    }
}

#[test]
fn another_tenants_chunks_move_no_keyword_score() {
    let scores = |chunks: &[IndexChunk]| {
        let hits = search(&index_of(chunks), "budget tenant", &["shared"], SearchMode::Keyword);
        hits.iter().map(|hit| (hit.chunk.clone(), hit.explain.bm25)).collect::<Vec<_>>()
    };
    let mut chunks = manual();
    let alone = scores(&chunks);
    // The same texts again, so that the mean length, which is taken over the whole index, stays.
    for copy in 0..5 {
        chunks.extend(manual().into_iter().map(|chunk| IndexChunk {
            id: format!("{copy}{}", chunk.id),
            document: format!("{copy}{}", chunk.document),
            scope: "acme".to_owned(),
            ..chunk
        }));
    }
    assert_eq!(scores(&chunks), alone);
}

#[test]
fn bm25_is_the_published_formula() {
    let texts = ["cap spend budget budget", "tenant spend", "alpha beta gamma delta epsilon zeta"];
    let chunks: Vec<_> = (0..).zip(texts).map(|(n, text)| chunk(&format!("{n}"), "shared", "", text)).collect();
    let hits = search(&index_of(&chunks), "budget spend", &["shared"], SearchMode::Keyword);
    // N = 3, mean length 4. Robertson & Zaragoza (2009), eq. 3.15, k1 = 1.2, b = 0.75, worked by hand:
    // budget: idf = ln(1 + 2.5/1.5), tf = 2, length 4: 2·2.2/(2+1.2) = 1.375;
    // spend: idf = ln(1 + 1.5/2.5), tf = 1, length 4: 2.2/2.2 = 1; length 2: 2.2/(1+1.2·0.625) = 1.257142857.
    let (rare, common) = ((1.0 + 2.5_f64 / 1.5).ln(), (1.0 + 1.5_f64 / 2.5).ln());
    let expected = [("0", rare * 1.375 + common), ("1", common * 2.2 / 1.75)];
    assert_eq!(ids(&hits), ["0", "1"]);
    for (hit, (_, score)) in hits.iter().zip(expected) {
        assert!((hit.explain.bm25.unwrap() - score).abs() < 1e-5, "{:?} {score}", hit.explain);
    }
}

#[test]
fn a_changed_document_replaces_its_chunks_and_a_removed_one_is_gone() {
    let index = index_of(&manual());
    index
        .update([chunk("cost.md#budgets", "shared", "Cost", "Budgets are quarterly now.")], &["api.md".to_owned()])
        .unwrap();
    assert_eq!(index.chunk_count(), 1);
    for mode in MODES {
        assert!(search(&index, "alerts idempotency month", &["shared"], mode).is_empty());
        assert_eq!(ids(&search(&index, "quarterly budgets", &["shared"], mode)), ["cost.md#budgets"]);
    }
    let everything = index.documents().unwrap();
    index.update(std::iter::empty(), &everything).unwrap();
    assert_eq!(index.chunk_count(), 0);
}

#[test]
fn vectors_after_many_updates_are_those_of_a_fresh_index() {
    let directory = tempfile::tempdir().unwrap();
    let index = SearchIndex::open(directory.path()).unwrap();
    for round in 0..6 {
        let extra = chunk(&format!("extra{round}.md#a"), "shared", "", &format!("budget month tenant filler{round}"));
        index.update([extra], &[]).unwrap();
        index.update(manual(), &[format!("extra{}.md", round / 2 * 2)]).unwrap();
    }
    index.update(std::iter::empty(), &(0..6).map(|round| format!("extra{round}.md")).collect::<Vec<_>>()).unwrap();
    drop(index);
    let reopened = SearchIndex::open(directory.path()).unwrap();
    let (worn, fresh) = (search(&reopened, "monthly budget", &["shared"], SearchMode::Vector), index_of(&manual()));
    assert_eq!(worn, search(&fresh, "monthly budget", &["shared"], SearchMode::Vector));
    std::fs::remove_file(directory.path().join("features.df")).unwrap();
    let recounted = SearchIndex::open(directory.path()).unwrap();
    assert_eq!(worn, search(&recounted, "monthly budget", &["shared"], SearchMode::Vector));
}

#[test]
fn equal_scores_come_in_the_order_of_ids_however_they_were_written() {
    let index = SearchIndex::in_memory().unwrap();
    for batch in [[5, 1, 9], [7, 3, 0], [2, 8, 4]] {
        let chunks = batch.map(|n| chunk(&format!("d{n}#a"), "shared", "Same", "the very same words about caps"));
        index.update(chunks, &[]).unwrap();
    }
    for mode in MODES {
        let request = |limit| SearchRequest {
            query: "caps words",
            scopes: &["shared"],
            mode,
            limit,
            candidates: 4,
            vector_weight: 0.5,
            query_vector: None,
        };
        let hits = index.search(&request(4)).unwrap();
        assert_eq!(ids(&hits), ["d0#a", "d1#a", "d2#a", "d3#a"], "{mode:?}");
        assert_eq!(ids(&index.search(&request(2)).unwrap()), ["d0#a", "d1#a"]);
    }
}

#[test]
fn every_character_of_a_query_is_text() {
    let index = index_of(&manual());
    for query in
        ["\") OR *:* [a TO b]", "scope:acme", "budget~2^5 +\"tenant", "\0\0", "", "what is it?", "🙂", "-budget"]
    {
        for mode in MODES {
            search(&index, query, &["shared"], mode);
        }
    }
    let many: Vec<String> = (0..2_000).map(|n| format!("word{n}")).collect();
    let long = "budget tenant ".repeat(20_000) + &many.join(" ");
    assert!(!search(&index, &long, &["shared"], SearchMode::Hybrid).is_empty());
    assert_eq!(search(&index, "-budget", &["shared"], SearchMode::Hybrid)[0].chunk, "cost.md#budgets");
}

#[test]
fn a_scope_with_a_separator_is_refused_and_nothing_is_written() {
    let index = index_of(&manual());
    let chunks = [chunk("new.md#a", "shared", "", "quokka"), chunk("evil.md#a", "shared\0budget", "", "x")];
    assert!(matches!(index.update(chunks, &[]), Err(IndexError::InvalidScope { .. })));
    index.update(std::iter::empty(), &[]).unwrap();
    assert!(search(&index, "quokka", &["shared"], SearchMode::Keyword).is_empty());
    assert_eq!(index.chunk_count(), 4);
}

#[test]
fn an_index_of_another_version_or_none_asks_for_a_rebuild() {
    let directory = tempfile::tempdir().unwrap();
    let mut schema = tantivy::schema::Schema::builder();
    schema.add_text_field("other", tantivy::schema::TEXT);
    Index::create_in_dir(directory.path(), schema.build()).unwrap();
    let error = SearchIndex::open(directory.path()).err().unwrap();
    assert!(matches!(error, IndexError::OtherVersion { .. }) && error.needs_rebuild(), "{error}");
    std::fs::write(directory.path().join("meta.json"), "not json").unwrap();
    let error = SearchIndex::open(directory.path()).err().unwrap();
    assert!(matches!(error, IndexError::Damaged { .. }) && error.needs_rebuild(), "{error}");
    let index = SearchIndex::recreate(directory.path()).unwrap();
    index.update(manual(), &[]).unwrap();
    assert_eq!(search(&index, "budget", &["shared"], SearchMode::Hybrid).len(), 2);
    index.verify().unwrap();
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let whole = tempfile::tempdir().unwrap();
    SearchIndex::open(whole.path()).unwrap().update(manual(), &[]).unwrap();
    let names: Vec<_> = std::fs::read_dir(whole.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let segment_files = names.iter().filter(|name| name.to_string_lossy().len() > 32);
    assert!(segment_files.clone().count() >= 5, "{names:?}");
    for damaged in segment_files {
        let copy = tempfile::tempdir().unwrap();
        for name in &names {
            std::fs::copy(whole.path().join(name), copy.path().join(name)).unwrap();
        }
        let path = copy.path().join(damaged);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = match SearchIndex::open(copy.path()) {
            Err(error) => error,
            Ok(index) => index.verify().err().unwrap_or_else(|| panic!("{damaged:?} cut in half went unnoticed")),
        };
        assert!(error.needs_rebuild(), "{damaged:?}: {error}");
    }
}

#[test]
fn a_second_writer_is_told_that_the_index_is_busy() {
    let directory = tempfile::tempdir().unwrap();
    let index = SearchIndex::open(directory.path()).unwrap();
    let other = SearchIndex::open(directory.path()).unwrap();
    let chunks = manual().into_iter().inspect(|_| {
        assert!(matches!(other.update(std::iter::empty(), &[]), Err(IndexError::Busy { .. })));
    });
    index.update(chunks, &[]).unwrap();
    assert_eq!(other.chunk_count(), 0);
    other.refresh().unwrap();
    assert_eq!(other.chunk_count(), 4);
}

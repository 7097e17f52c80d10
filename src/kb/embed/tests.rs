use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use futures::FutureExt;
use jiff::Timestamp;

use super::*;
use crate::config::{KbSettings, SourceSettings};
use crate::domain::ManualClock;
use crate::kb::{SearchMode, SearchRequest};
use crate::store::Store;

/// Knows three meanings, whatever the words; remembers what it was asked.
#[derive(Default)]
struct Meanings {
    id: &'static str,
    asked: Mutex<Vec<String>>,
    /// Requests that it still answers before it fails.
    answers: Mutex<Option<usize>>,
    answer: Option<Vec<Vec<f32>>>,
}

const MEANINGS: [&[&str]; 3] =
    [&["budget", "cap", "ceiling"], &["rain", "weather", "umbrella"], &["swordfish", "code"]];

impl Meanings {
    fn new(id: &'static str) -> Arc<Self> {
        Arc::new(Self { id, ..Self::default() })
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }

    fn vector(text: &str) -> Vec<f32> {
        let text = text.to_lowercase();
        let about = |words: &&[&str]| words.iter().filter(|word| text.contains(**word)).count() as f32;
        MEANINGS.iter().map(about).chain([0.1]).collect()
    }
}

impl TextEmbedder for Meanings {
    fn id(&self) -> &str {
        self.id
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>> {
        if let Some(left) = self.answers.lock().unwrap().as_mut() {
            if *left == 0 {
                return futures::future::ready(Err(EmbedError::Failed { reason: "out of order".into() })).boxed();
            }
            *left -= 1;
        }
        let vectors = self.answer.clone().unwrap_or_else(|| texts.iter().map(|text| Self::vector(text)).collect());
        self.asked.lock().unwrap().extend(texts);
        futures::future::ready(Ok(vectors)).boxed()
    }
}

struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        project.write("docs/cost.md", "# Cost\n\nThe budget is the most that a tenant can spend in a month here.\n");
        project.write("docs/sky.md", "# Sky\n\nWhen there is rain outside, then the streets of the town are wet.\n");
        project
            .write("acme/code.md", "# Launch\n\nThe word for the launch is swordfish and nobody else may know it.\n");
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn vectors(&self) -> PathBuf {
        self.0.path().join("store/index/dense.vectors")
    }

    fn open(&self, embedder: Option<&Arc<Meanings>>) -> KnowledgeBase {
        let source = |path: &str, tenant: &str| SourceSettings {
            path: path.into(),
            include: vec!["**".into()],
            exclude: Vec::new(),
            tenant: tenant.into(),
        };
        let sources = BTreeMap::from([
            ("docs".to_owned(), source("docs", "shared")),
            ("acme".to_owned(), source("acme", "acme")),
        ]);
        let settings = KbSettings { chunk_words: 100, max_document_bytes: 1_000_000, sources };
        let root: &Path = self.0.path();
        let store = Arc::new(Store::open(&root.join("store/t.db")).unwrap());
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let kb = KnowledgeBase::open(settings, root.to_owned(), store, clock).unwrap();
        match embedder {
            Some(embedder) => kb.with_embedder(Arc::<Meanings>::clone(embedder) as Arc<dyn TextEmbedder>).unwrap(),
            None => kb,
        }
    }
}

async fn sync(kb: &KnowledgeBase) -> Result<Option<VectorReport>, KbError> {
    kb.sync(&[], false, &|_, _| {}).await.unwrap();
    kb.sync_vectors(&|_, _| {}).await
}

async fn ask_kb(kb: &KnowledgeBase, query: &str, tenant: &str) -> Vec<String> {
    let vector = match &kb.embedder {
        Some(embedder) => kb.embed_query(&**embedder, query).await.unwrap(),
        None => None,
    };
    let request = SearchRequest {
        query,
        scopes: &KnowledgeBase::scopes(tenant),
        mode: SearchMode::Hybrid,
        limit: 1,
        candidates: 10,
        vector_weight: 0.5,
        query_vector: vector.as_deref(),
    };
    kb.search(&request).unwrap().into_iter().map(|(_, passage)| passage.document).collect()
}

#[tokio::test]
async fn a_paraphrase_without_a_common_word_finds_its_chunk() {
    let project = Project::new();
    let embedder = Meanings::new("meanings");
    let kb = project.open(Some(&embedder));
    kb.sync(&[], false, &|_, _| {}).await.unwrap();
    assert!(ask_kb(&kb, "monetary ceiling?", "shared").await.is_empty());
    assert!(embedder.asked().is_empty(), "a query's vector that nothing can be compared with costs nothing");
    let report = kb.sync_vectors(&|_, _| {}).await.unwrap().unwrap();
    assert_eq!(report, VectorReport { embedder: "meanings".into(), chunks: 3, embedded: 3 });
    assert!(kb.has_vectors());
    assert_eq!(ask_kb(&kb, "monetary ceiling?", "shared").await, ["docs/cost.md"]);
    assert_eq!(ask_kb(&kb, "umbrella?", "acme").await, ["docs/sky.md"]);
}

#[tokio::test]
async fn no_tenant_finds_anothers_chunk_by_its_meaning() {
    let project = Project::new();
    let kb = project.open(Some(&Meanings::new("meanings")));
    sync(&kb).await.unwrap();
    assert_eq!(ask_kb(&kb, "secret code", "acme").await, ["acme/code.md"]);
    for tenant in ["shared", "acm", "globex"] {
        assert_ne!(ask_kb(&kb, "secret code", tenant).await, ["acme/code.md"]);
    }
}

#[tokio::test]
async fn a_text_is_embedded_once() {
    let project = Project::new();
    let embedder = Meanings::new("meanings");
    let kb = project.open(Some(&embedder));
    sync(&kb).await.unwrap();
    assert_eq!(embedder.asked().len(), 3);
    assert_eq!(sync(&kb).await.unwrap().unwrap().embedded, 0);
    project.write("docs/sky.md", "# Sky\n\nThe weather of tomorrow is not known to anybody in this whole town.\n");
    assert_eq!(sync(&kb).await.unwrap().unwrap().embedded, 1);
    let [asked] = embedder.asked().try_into().unwrap();
    assert!(asked.starts_with("Sky\n") && asked.contains("tomorrow"), "{asked}");
    drop(kb);
    // Everything that is derived goes; what was paid for stays.
    std::fs::remove_dir_all(project.0.path().join("store/index")).unwrap();
    let kb = project.open(Some(&embedder));
    assert!(!kb.has_vectors());
    assert_eq!(sync(&kb).await.unwrap(), Some(VectorReport { embedder: "meanings".into(), chunks: 3, embedded: 0 }));
    assert_eq!(ask_kb(&kb, "umbrella", "shared").await, ["docs/sky.md"]);
    let other = Meanings::new("other");
    let kb = project.open(Some(&other));
    assert!(!kb.has_vectors(), "vectors of another embedder are not compared with");
    assert_eq!(sync(&kb).await.unwrap().unwrap().embedded, 3);
}

#[tokio::test]
async fn vectors_of_older_knowledge_are_not_used_and_removed_chunks_have_none() {
    let project = Project::new();
    let kb = project.open(Some(&Meanings::new("meanings")));
    sync(&kb).await.unwrap();
    let other_process = project.open(Some(&Meanings::new("meanings")));
    assert!(other_process.has_vectors());
    kb.remove(&["docs/sky.md".to_owned()]).await.unwrap();
    assert!(!kb.has_vectors());
    assert_eq!(kb.sync_vectors(&|_, _| {}).await.unwrap().unwrap().chunks, 2);
    assert!(kb.has_vectors());
    other_process.refresh().unwrap();
    assert_eq!(other_process.index().dense().unwrap().len(), 2);
}

#[tokio::test]
async fn a_damaged_file_of_vectors_is_made_anew_without_asking_anybody() {
    let project = Project::new();
    let embedder = Meanings::new("meanings");
    sync(&project.open(Some(&embedder))).await.unwrap();
    let mut bytes = std::fs::read(project.vectors()).unwrap();
    bytes[20] ^= 1;
    std::fs::write(project.vectors(), bytes).unwrap();
    let kb = project.open(Some(&embedder));
    assert!(!kb.has_vectors());
    assert_eq!(sync(&kb).await.unwrap().unwrap().embedded, 0);
    assert!(kb.has_vectors());
}

#[tokio::test]
async fn what_was_embedded_before_a_failure_is_kept_and_searchable() {
    let project = Project::new();
    for n in 0..100 {
        project.write(
            &format!("docs/p{n}.md"),
            &format!("# Page {n}\n\nThis page of {n} is about the weather alone, really.\n"),
        );
    }
    let embedder = Meanings::new("meanings");
    *embedder.answers.lock().unwrap() = Some(1);
    let kb = project.open(Some(&embedder));
    let failed = sync(&kb).await.err().unwrap();
    assert_eq!(failed.to_string(), "no vectors from `meanings`: out of order");
    assert_eq!(kb.index().dense().unwrap().len(), 64);
    *embedder.answers.lock().unwrap() = None;
    let done = Mutex::new(Vec::new());
    let report = kb.sync_vectors(&|at, of| done.lock().unwrap().push((at, of))).await.unwrap().unwrap();
    assert_eq!((report.chunks, report.embedded), (103, 39));
    assert_eq!(*done.lock().unwrap(), [(0, 39), (39, 39)]);
}

#[tokio::test]
async fn answers_that_are_not_vectors_of_the_texts_are_refused() {
    let (one, nothing) = (vec![1.0, 0.0], vec![0.0, 0.0]);
    let cases = [
        (vec![one.clone(); 2], EmbedError::Count { expected: 3, found: 2 }),
        (vec![one.clone(), one.clone(), vec![1.0]], EmbedError::Length { expected: 2, found: 1 }),
        (vec![one.clone(), nothing, one.clone()], EmbedError::NoDirection),
        (vec![one.clone(), vec![f32::NAN, 1.0], one], EmbedError::NoDirection),
    ];
    for (answer, expected) in cases {
        let project = Project::new();
        let kb = project.open(Some(&Arc::new(Meanings { id: "m", answer: Some(answer), ..Meanings::default() })));
        match sync(&kb).await {
            Err(KbError::Embed { source, .. }) => assert_eq!(source, expected),
            other => panic!("{other:?}"),
        }
        assert!(!kb.has_vectors());
        assert_eq!(ask_kb(&kb, "budget", "shared").await, ["docs/cost.md"]);
    }
}

#[tokio::test]
async fn without_an_embedder_nothing_is_written() {
    let project = Project::new();
    let kb = project.open(None);
    assert_eq!(sync(&kb).await.unwrap(), None);
    assert!(!project.vectors().exists() && !kb.has_vectors());
    assert_eq!(ask_kb(&kb, "budget", "shared").await, ["docs/cost.md"]);
}

#[tokio::test]
async fn only_one_process_pays_at_a_time() {
    let project = Project::new();
    let embedder = Meanings::new("meanings");
    let kb = project.open(Some(&embedder));
    kb.sync(&[], false, &|_, _| {}).await.unwrap();
    let other = File::create(project.0.path().join("store").join(LOCK_FILE)).unwrap();
    other.lock().unwrap();
    assert_eq!(kb.sync_vectors(&|_, _| {}).await.unwrap(), None);
    assert!(embedder.asked().is_empty());
    drop(other);
    assert_eq!(kb.sync_vectors(&|_, _| {}).await.unwrap().unwrap().embedded, 3);
}

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Assistant, AssistantError, Local, Parts};
use crate::config::{
    AlertSettings, Budget, BudgetSettings, KbSettings, ModelSettings, OnBreach, ProviderKind, ProviderSettings,
    ProxySettings, SafetySettings, SourceSettings, TimeoutSettings,
};
use crate::cost::{Ledger, Rules};
use crate::domain::{
    Answer, AnswerPath, IdSource, ManualClock, NanoUsd, PassageChoice, Price, Question, Rate, TicketId,
};
use crate::kb::KnowledgeBase;
use crate::prices::PriceBook;
use crate::prompts::{Library, Release};
use crate::proxy::{self, Proxy, ProxyError, Recording};
use crate::store::{OutcomeRow, PromptParts, SpendFilter, Store, StoreError};

/// The bundled prompt over one document, answered by the offline models.
struct Bench {
    local: Local,
    store: Arc<Store>,
    clock: Arc<ManualClock>,
    ids: Arc<IdSource>,
    _directory: tempfile::TempDir,
}

const DOCUMENT: &str = "# Returns\n\nYou may return a lamp within 30 days. The refund takes a week.\n";

async fn bench(change: impl FnOnce(&mut Release)) -> Bench {
    with_budgets(change, BudgetSettings::default()).await
}

async fn with_budgets(change: impl FnOnce(&mut Release), budgets: BudgetSettings) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("docs")).unwrap();
    std::fs::write(directory.path().join("docs/returns.md"), DOCUMENT).unwrap();
    let store = Arc::new(Store::open(&directory.path().join("store/tollgate.db")).unwrap());
    let clock = Arc::new(ManualClock::new("2026-11-01T12:00:00Z".parse().unwrap()));
    let source = SourceSettings {
        path: "docs".into(),
        include: vec!["**/*.md".to_owned()],
        exclude: Vec::new(),
        tenant: "shared".to_owned(),
    };
    let settings = KbSettings {
        chunk_words: 200,
        max_document_bytes: 10_000,
        sources: BTreeMap::from([("docs".to_owned(), source)]),
    };
    let kb = KnowledgeBase::open(
        settings,
        directory.path().to_owned(),
        Arc::clone(&store),
        Arc::<ManualClock>::clone(&clock),
    )
    .unwrap();
    kb.sync(&[], false, &|_, _| {}).await.unwrap();
    let library = Library::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts")).unwrap();
    let mut release = Release::fold(&[], &library).unwrap();
    change(&mut release);
    let model = ModelSettings { price: Some(Price::new(Rate(1_000), Rate(1_000))), ..ModelSettings::default() };
    let extractive = ProviderSettings {
        kind: ProviderKind::Extractive,
        models: ["small", "large"].map(|name| (name.to_owned(), model.clone())).into(),
        vendor: Some("offline".to_owned()),
        timeouts: TimeoutSettings::default(),
        max_concurrency: 8,
    };
    let (kept_time, ids) = (Arc::<ManualClock>::clone(&clock), Arc::new(IdSource::seeded(3)));
    let rules = Arc::new(Rules::new(budgets, AlertSettings::default()));
    let ledger = Ledger::new(Arc::clone(&store), kept_time, Arc::clone(&ids), rules, BTreeMap::new());
    let proxy = Proxy::new(proxy::Parts {
        providers: BTreeMap::from([("extractive".to_owned(), extractive)]),
        routes: BTreeMap::new(),
        settings: ProxySettings::default(),
        safety: SafetySettings::default(),
        payloads: false,
        prices: Arc::new(PriceBook::shipped().clone()),
        recording: Recording::off(),
        ledger: Arc::new(ledger),
        clock: Arc::<ManualClock>::clone(&clock),
        ids: Arc::clone(&ids),
    });
    let parts = Parts {
        prompt: release.compile("answer", &library).unwrap(),
        release: Arc::new(release),
        kb: Arc::new(kb),
        proxy: Arc::new(proxy),
        store: Arc::clone(&store),
        clock: Arc::<ManualClock>::clone(&clock),
        endpoint: "ask",
        approved_cost: None,
        evaluates: false,
    };
    Bench { local: Local::new(parts), store, clock, ids, _directory: directory }
}

impl Bench {
    fn question(&self, text: &str) -> Question {
        Question {
            ticket: self.ids.next::<TicketId>(&*self.clock),
            tenant: "acme".to_owned(),
            text: text.to_owned(),
            use_cache: true,
            passages: PassageChoice::Release,
            seed: 1,
        }
    }

    /// Asks, and lets a minute pass.
    async fn ask(&self, text: &str) -> Result<Answer, AssistantError> {
        let answer = self.local.answer(&self.question(text)).await;
        self.clock.advance(Duration::from_mins(1));
        answer
    }

    /// The outcomes so far, in the order of the questions.
    async fn outcomes(&self) -> Vec<OutcomeRow> {
        self.store.flush().await.unwrap();
        let mut outcomes = Vec::new();
        let all = SpendFilter::between(Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let visited = self.store.for_each_ticket(&all, |ticket| {
            outcomes.extend(ticket.outcome);
            Ok::<(), StoreError>(())
        });
        visited.unwrap();
        outcomes.sort_by_key(|outcome| outcome.at);
        outcomes
    }
}

const ASKED: &str = "How long may I return a lamp?";

#[tokio::test]
async fn every_ticket_leaves_its_outcome() {
    let bench = bench(|_| {}).await;
    let answer = bench.ask(ASKED).await.unwrap();
    assert_eq!(answer.text, "You may return a lamp within 30 days.");
    bench.ask("how long may i return a LAMP").await.unwrap();
    assert!(bench.ask("Who won the cup final?").await.unwrap().refused);
    bench.ask(" ?! ").await.unwrap_err();
    let outcomes = bench.outcomes().await;
    let paths: Vec<_> = outcomes.iter().map(|outcome| (outcome.path, outcome.resolved)).collect();
    let expected =
        [(Some(answer.path), true), (Some(AnswerPath::Exact), true), (Some(AnswerPath::Refused), false), (None, false)];
    assert_eq!(paths, expected);
    let [first, hit, ..] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((first.tenant.as_str(), first.endpoint.as_str(), first.score), ("acme", "ask", None));
    assert_eq!(first.at.to_string(), "2026-11-01T12:00:00Z");
    assert_eq!(hit.at.to_string(), "2026-11-01T12:01:00Z");
    assert_eq!(hit.prompt, None, "no model was asked");
    assert!(first.prompt.is_some());
}

#[tokio::test]
async fn a_ticket_that_nobody_waits_for_any_more_leaves_its_outcome() {
    let bench = bench(|_| {}).await;
    drop(bench.ask(ASKED));
    assert_eq!(bench.outcomes().await, [], "it was never begun");
    let question = bench.question(ASKED);
    let mut asked = bench.local.answer(&question);
    let _ = futures::poll!(&mut asked);
    drop(asked);
    assert_eq!(bench.outcomes().await.len(), 1);
}

#[tokio::test]
async fn the_parts_of_a_prompt_add_up_to_it() {
    let bench = bench(|release| release.limits.passage_tokens = Some(20)).await;
    let answer = bench.ask(ASKED).await.unwrap();
    let PromptParts { system, few_shot, passages, question } = bench.outcomes().await[0].prompt.unwrap();
    // 20 tokens are 80 bytes: the id and heading have 23 + 7, ` The refund takes a week.` has 25 and the other 37.
    let [passage] = &answer.passages[..] else { panic!("{:?}", answer.passages) };
    assert_eq!((passage.chunk.as_str(), passage.heading.as_str()), ("docs/returns.md#returns", "Returns"));
    assert_eq!(passage.text, "You may return a lamp within 30 days.");
    assert_eq!((passages, few_shot, question), (23 + 7 + 37, 0, ASKED.len() as u64));
    assert!(system > 1_000);
}

#[tokio::test]
async fn a_tenant_whose_cap_is_reached_gets_the_text_of_its_policy() {
    let nothing = Budget {
        day: Some(NanoUsd::ZERO),
        month: None,
        lifetime: None,
        alert_day: None,
        soft_percent: None,
        time_zone: TimeZone::UTC,
        on_breach: OnBreach::Template("Ask again tomorrow.".to_owned()),
    };
    let budgets = BudgetSettings { each_tenant: Some(nothing.clone()), ..BudgetSettings::default() };
    let bench = with_budgets(|_| {}, budgets).await;
    let answer = bench.ask(ASKED).await.unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.path, answer.refused),
        ("Ask again tomorrow.", AnswerPath::Degraded, false)
    );
    assert_eq!((answer.calls, answer.cost_nanousd, answer.confidence), (0, Some(NanoUsd::ZERO), None));
    assert_eq!(answer.trace.last().unwrap().name, "degraded");
    // It is not kept: the next one is refused anew.
    bench.ask("how long may I return a lamp").await.unwrap();
    for outcome in bench.outcomes().await {
        assert_eq!((outcome.path, outcome.resolved, outcome.prompt), (Some(AnswerPath::Degraded), false, None));
    }

    let refused = Budget { on_breach: OnBreach::Refuse, ..nothing };
    let bench = with_budgets(|_| {}, BudgetSettings { each_tenant: Some(refused), ..BudgetSettings::default() }).await;
    let error = bench.ask(ASKED).await.unwrap_err();
    assert!(matches!(error, AssistantError::Proxy(ProxyError::Budget(_))), "{error}");
    assert!(!error.is_the_assistants_own());
    let outcome = bench.outcomes().await.remove(0);
    assert_eq!((outcome.path, outcome.resolved, outcome.prompt), (None, false, None));
}

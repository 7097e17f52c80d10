use crate::domain::{Answer, AnswerPath, ContentHash, Hasher, NanoUsd, Question, Usage};
use crate::prompts::Release;
use crate::store::{CachedAnswer, Store, StoreError};

/// The exact cache: the same normalized question of the same tenant, under the same release and knowledge.
pub(super) struct ExactCache<'a> {
    store: &'a Store,
    key: ContentHash,
    tenant: &'a str,
    ttl_ms: i64,
    now_ms: i64,
}

impl<'a> ExactCache<'a> {
    /// The cache entry that `question` (normalized as `normalized`) would have now.
    pub(super) fn entry(
        store: &'a Store,
        release: &Release,
        question: &'a Question,
        normalized: &str,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let knowledge = store.knowledge_version(Some(&question.tenant))?;
        let mut key = Hasher::default();
        for field in [normalized, &question.tenant, release.hash.as_str(), knowledge.as_str()] {
            key.field(field);
        }
        let ttl_ms = i64::try_from(release.cache.ttl_s).unwrap_or(i64::MAX).saturating_mul(1_000);
        Ok(Self { store, key: key.finish(), tenant: &question.tenant, ttl_ms, now_ms })
    }

    /// The kept answer, as an answer to this question that cost nothing.
    pub(super) fn get(&self, question: &Question) -> Result<Option<Answer>, StoreError> {
        let Some(stored) = self.store.cached_answer(self.tenant, &self.key, self.now_ms)? else { return Ok(None) };
        let Ok(answer) = serde_json::from_str::<Answer>(&stored) else {
            // Written by another version: as good as not there.
            return Ok(None);
        };
        Ok(Some(Answer {
            ticket: question.ticket,
            path: AnswerPath::Exact,
            model: None,
            usage: Usage::default(),
            cost_nanousd: Some(NanoUsd::ZERO),
            calls: 0,
            ..answer
        }))
    }

    /// Keeps `answer` for the next time.
    pub(super) async fn put(&self, answer: &Answer) -> Result<(), StoreError> {
        let kept = Answer { trace: Vec::new(), ..answer.clone() };
        let entry = CachedAnswer {
            key: self.key.clone(),
            scope: self.tenant.to_owned(),
            stored_at_ms: self.now_ms,
            expires_at_ms: self.now_ms.saturating_add(self.ttl_ms),
            answer: serde_json::to_string(&kept).unwrap_or_default(),
        };
        self.store.cache_answer(entry).await
    }
}

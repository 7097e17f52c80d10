use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::failure::Failure;
use super::output::Output;
use crate::eval::Progress;
use crate::kb::{KnowledgeBase, SyncReport, VectorReport};

/// A bar on stderr, or nothing where nobody would see it.
pub(super) fn bar(output: &Output, template: &str) -> ProgressBar {
    let target =
        if output.shows_progress() { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Brings the knowledge base up to date, with a bar.
pub(super) async fn sync(
    kb: &KnowledgeBase,
    only: &[String],
    rebuild: bool,
    output: &Output,
) -> Result<SyncReport, Failure> {
    let bar = bar(output, "reading documents {bar:30} {pos}/{len} {eta}");
    let synced = kb
        .sync(only, rebuild, &|done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await;
    bar.finish_and_clear();
    Ok(synced?)
}

/// Makes the vectors that the knowledge base does not have yet, with a bar, and says what that took.
pub(super) async fn sync_vectors(kb: &KnowledgeBase, output: &Output) -> Result<(), Failure> {
    let bar = bar(output, "embedding chunks {bar:30} {pos}/{len} {eta}");
    let synced = kb
        .sync_vectors(&|done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await;
    bar.finish_and_clear();
    if let Some(report) = synced?.filter(|report| report.embedded > 0) {
        let VectorReport { embedder, chunks, embedded } = report;
        output.note(&format!("vectors brought up to date by {embedder}: {embedded} texts embedded, {chunks} chunks"));
    }
    Ok(())
}

/// The bar of an evaluation: running score, spend, rate and time left.
pub(super) struct EvalBar(ProgressBar);

impl EvalBar {
    pub(super) fn new(output: &Output) -> Self {
        Self(bar(output, "{bar:30} {pos}/{len} {msg} {per_sec} {eta} left"))
    }

    pub(super) fn show(&self, progress: &Progress) {
        if self.0.is_hidden() {
            return;
        }
        let score = progress.score().map_or_else(|| "–".to_owned(), |score| format!("{score:.3}"));
        let errored = if progress.errored > 0 { format!(" · {} errored", progress.errored) } else { String::new() };
        self.0.set_length(progress.planned);
        self.0.set_position(progress.done);
        self.0.set_message(format!("score {score} · {}{errored} ·", progress.spent));
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

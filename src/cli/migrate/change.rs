use serde::Serialize;

use super::{State, cleared_by, counted, file_name};
use crate::domain::{ContentHash, Verdict, VerdictId};
use crate::prompts::Migration;
use crate::report::{Cell, Column, Document, Records, Render, Status, Table};
use crate::store::MigrationDirection;

/// Migrations that were applied or taken back.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct MigrationsChanged {
    /// Whether they were applied (`up`) or taken back (`down`).
    pub(super) direction: MigrationDirection,
    /// Whether nothing was changed: what is listed would have been.
    pub(super) dry_run: bool,
    /// In the order in which it happened.
    pub(super) changed: Vec<ChangedMigration>,
    /// The migration that did not clear its gate.
    pub(super) stopped: Option<StoppedMigration>,
    /// Migrations that are not applied: `0004_other_model`.
    pub(super) left: Vec<String>,
    /// What is live now; `None` when nothing was ever applied.
    pub(super) live: Option<LiveRelease>,
    /// The command to type next.
    pub(super) next: String,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct ChangedMigration {
    pub(super) number: u32,
    pub(super) slug: String,
    /// What let it through; `None` for one that was taken back.
    pub(super) clearance: Option<Clearance>,
    /// The verdict that let it through.
    pub(super) verdict: Option<VerdictId>,
    /// Whether that verdict was there before; `None` without one.
    pub(super) verdict_was_stored: Option<bool>,
    /// Who applied it without a verdict that it needed.
    pub(super) forced_by: Option<String>,
    /// Why it was forced, needed no verdict, or was taken back.
    pub(super) reason: Option<String>,
    /// What it breaks, and what callers must change.
    pub(super) breaking: Option<String>,
    /// Hash of the release that is live after it.
    pub(super) release_hash: ContentHash,
}

/// What lets a migration through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Clearance {
    /// Nothing was ever applied before: there is nothing to compare with.
    StartingPoint,
    /// The release behaves as the one before.
    SameBehaviour,
    /// A verdict; in a dry run it may have to be reached yet.
    Verdict,
    /// Somebody's will.
    Forced,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct StoppedMigration {
    pub(super) number: u32,
    pub(super) slug: String,
    pub(super) verdict: VerdictId,
    /// What its gate came to.
    pub(super) outcome: Verdict,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct LiveRelease {
    /// The number of the last applied migration; 0 when all are taken back.
    pub(super) number: u32,
    pub(super) hash: ContentHash,
}

impl MigrationsChanged {
    pub(super) fn new(direction: MigrationDirection, state: &State) -> Self {
        Self {
            direction,
            dry_run: false,
            changed: Vec::new(),
            stopped: None,
            left: Vec::new(),
            live: live(state),
            next: String::new(),
        }
    }

    pub(super) fn leaving<'a>(mut self, left: impl Iterator<Item = &'a Migration>) -> Self {
        self.left = left.map(|migration| file_name(migration.number, &migration.slug)).collect();
        self
    }

    fn headline(&self) -> (Status, String) {
        let verb = match (self.direction, self.dry_run) {
            (MigrationDirection::Up, false) => ["was applied", "were applied"],
            (MigrationDirection::Up, true) => ["would be applied", "would be applied"],
            (MigrationDirection::Down, _) => ["was taken back", "were taken back"],
        };
        let count = self.changed.len();
        let done = match (count, self.direction) {
            (0, MigrationDirection::Up) => "nothing was applied".to_owned(),
            (0, MigrationDirection::Down) => "nothing was taken back".to_owned(),
            _ => counted(count, verb),
        };
        match &self.stopped {
            Some(stopped) => {
                let why = match stopped.outcome {
                    Verdict::Inconclusive => "there is not enough evidence for a verdict",
                    Verdict::Fail | Verdict::Pass => "it did not clear its gate",
                };
                let name = file_name(stopped.number, &stopped.slug);
                (stopped.outcome.into(), format!("`{name}` was not applied: {why}; {done}"))
            }
            None if count == 0 && self.left.is_empty() => (Status::Good, format!("{done}: nothing is pending")),
            None => (Status::Good, done),
        }
    }
}

/// The release that is live by the store's word.
pub(super) fn live(state: &State) -> Option<LiveRelease> {
    let hash = state.changes.last()?.release_hash.clone();
    Some(LiveRelease { number: state.applied.number(), hash })
}

impl Render for MigrationsChanged {
    fn schema_name(&self) -> &'static str {
        "migration_change"
    }

    fn document(&self) -> Document {
        let title = format!("migrate {}", self.direction.as_str());
        let (status, headline) = self.headline();
        let mut document = Document::new(title).verdict(status, headline);
        if !self.changed.is_empty() {
            let last = if self.direction == MigrationDirection::Up { "cleared by" } else { "why" };
            let columns = [Column::text("migration"), Column::text(last), Column::text("release")];
            document = document.table(self.changed.iter().fold(Table::new("", columns), |table, changed| {
                table.row([
                    Cell::Code(file_name(changed.number, &changed.slug)),
                    changed.shown(),
                    Cell::Code(changed.release_hash.short().to_owned()),
                ])
            }));
        }
        for changed in self.changed.iter().filter(|_| self.direction == MigrationDirection::Up) {
            if let Some(breaking) = &changed.breaking {
                let name = file_name(changed.number, &changed.slug);
                document = document.note(format!("`{name}` is a breaking change: {breaking}"));
            }
        }
        let verdict = self.stopped.as_ref().map(|stopped| ("verdict", Cell::Code(stopped.verdict.to_string())));
        let live = self.live.as_ref().map(|live| {
            let label = if self.dry_run { "live as before" } else { "live" };
            (label, Cell::Text(format!("release {} ({})", live.number, live.hash.short())))
        });
        let left = (!self.left.is_empty()).then(|| ("not applied", Cell::Text(self.left.join(", "))));
        let facts: Vec<_> = [verdict, live, left].into_iter().flatten().collect();
        if !facts.is_empty() {
            document = document.facts(facts);
        }
        document.note(format!("next: `{}`", self.next))
    }

    fn records(&self) -> Option<Records> {
        let header = ["number", "slug", "direction", "verdict", "forced_by", "reason", "breaking", "release_hash"];
        let text = |text: &Option<String>| text.clone().map_or(Cell::Missing, Cell::Text);
        Some(self.changed.iter().fold(Records::new(header), |records, changed| {
            records.row([
                Cell::count(changed.number as usize),
                Cell::Code(changed.slug.clone()),
                Cell::Text(self.direction.as_str().to_owned()),
                changed.verdict.map_or(Cell::Missing, |verdict| Cell::Code(verdict.to_string())),
                text(&changed.forced_by),
                text(&changed.reason),
                text(&changed.breaking),
                Cell::Code(changed.release_hash.to_string()),
            ])
        }))
    }
}

impl ChangedMigration {
    fn shown(&self) -> Cell {
        let words = cleared_by(self.verdict, self.forced_by.as_deref(), self.reason.as_deref());
        match self.clearance {
            Some(Clearance::Forced) => Cell::Status(Status::Warn, words),
            Some(Clearance::Verdict) if self.verdict.is_none() => Cell::Text("needs a passing verdict".to_owned()),
            _ if words.is_empty() => Cell::Missing,
            _ => Cell::Text(words),
        }
    }
}

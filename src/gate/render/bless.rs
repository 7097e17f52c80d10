use crate::gate::bless_outcome::BlessedBaseline;
use crate::report::{Cell, Document, Render, Status};

use super::words::plural;

impl Render for BlessedBaseline {
    fn schema_name(&self) -> &'static str {
        "baseline"
    }

    fn document(&self) -> Document {
        let score = self.score.map_or_else(|| "no score".to_owned(), |score| format!("score {score:.3}"));
        let cases = plural(self.cases, "case", "cases");
        Document::new(format!("gate bless {}", self.gold_set))
            .verdict(Status::Good, format!("release {} is the baseline: {score} over {cases}", self.release))
            .facts([
                ("file", Cell::Code(self.path.clone())),
                ("gold set", Cell::Text(format!("{} {}", self.gold_set, self.gold_hash.short()))),
                ("release", Cell::Text(format!("{} {}", self.release, self.release_hash.short()))),
                ("reason", Cell::Text(self.reason.clone())),
                ("accepted", Cell::Text(self.blessed_at.clone())),
                ("in the place of", Cell::from(self.replaced.clone())),
            ])
            .note("commit the file: others compare with it only then.")
    }
}

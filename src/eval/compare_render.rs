use super::compare::{Comparison, Mover};
use super::render::with_interval;
use crate::report::{Cell, Column, Document, Records, Render, Table};

impl Render for Comparison {
    fn schema_name(&self) -> &'static str {
        "comparison"
    }

    fn document(&self) -> Document {
        let difference =
            self.difference.as_ref().map_or_else(|| "no paired case".to_owned(), |mean| with_interval(mean, -1.0));
        let side = |side: &super::compare::ComparedRun| {
            let hash = side.release_hash.get(..12).unwrap_or(&side.release_hash);
            Cell::Text(format!("{} (release {} {hash})", side.run, side.release))
        };
        let mut document = Document::new(format!("compare {}", self.gold_set)).facts([
            ("left", side(&self.left)),
            ("right", side(&self.right)),
            ("score on the left", Cell::score(self.left.score)),
            ("score on the right", Cell::score(self.right.score)),
            ("difference", Cell::Text(difference)),
            ("paired cases", Cell::count(self.paired as usize)),
            ("judged in one run only", Cell::count(self.unpaired as usize)),
        ]);
        let counts = Table::new("", [Column::text(""), Column::number("cases")])
            .row([Cell::Text("still right".into()), Cell::count(self.still_right as usize)])
            .row([Cell::Text("still wrong".into()), Cell::count(self.still_wrong as usize)])
            .row([Cell::Text("regressed".into()), Cell::count(self.regressed as usize)])
            .row([Cell::Text("improved".into()), Cell::count(self.improved as usize)]);
        document = document.table(counts);
        if !self.by_tag.is_empty() {
            let columns = [Column::text("tag"), Column::number("cases"), Column::number("difference")];
            let tags = self.by_tag.iter().fold(Table::new("", columns), |table, tag| {
                let difference = Cell::Change { value: Some(tag.difference), decimals: 3, unit: "" };
                table.row([Cell::Text(tag.tag.clone()), Cell::count(tag.cases as usize), difference])
            });
            document = document.heading(2, "Tags").table(tags);
        }
        for (title, movers) in [("Fell most", &self.fell), ("Rose most", &self.rose)] {
            if !movers.is_empty() {
                document = document.heading(2, title);
            }
            for mover in movers {
                document = mover.add_to(document);
            }
        }
        document
    }

    fn records(&self) -> Option<Records> {
        let header = ["case", "left", "right", "question", "left_answer", "right_answer"];
        Some(self.fell.iter().chain(&self.rose).fold(Records::new(header), |records, mover| {
            records.row([
                Cell::Code(mover.case.clone()),
                Cell::Number { value: Some(mover.left), decimals: 6, unit: "" },
                Cell::Number { value: Some(mover.right), decimals: 6, unit: "" },
                Cell::Text(mover.question.clone()),
                Cell::Text(mover.left_answer.clone()),
                Cell::Text(mover.right_answer.clone()),
            ])
        }))
    }
}

impl Mover {
    fn add_to(&self, document: Document) -> Document {
        document
            .heading(3, format!("{} · {:.3} → {:.3}", self.case, self.left, self.right))
            .text(self.question.clone())
            .compared(["left", "right"], "", self.left_answer.clone(), self.right_answer.clone())
    }
}

use super::{Saving, TokenReport};
use crate::cost::report::amount::counted;
use crate::report::{Cell, Column, Document, Table};

impl TokenReport {
    /// Its section of a document.
    pub(in crate::cost) fn add_to(&self, document: Document) -> Document {
        let parts = Table::new(
            "",
            [
                Column::text("part"),
                Column::number("tokens a ticket"),
                Column::text("of all tokens"),
                Column::number("cost"),
                Column::number("of the cost"),
            ],
        );
        let parts = self.parts.iter().fold(parts, |table, part| {
            table.row([
                title(part.part).into(),
                Cell::Number { value: part.tokens_per_ticket, decimals: 0, unit: "" },
                Cell::Bar { share: part.share },
                part.cost_nanousd.into(),
                Cell::Percent(part.cost_share),
            ])
        });
        let savings = Table::new(
            "What shorter prompts would have saved",
            [
                Column::text("change"),
                Column::number("tokens"),
                Column::number("saved"),
                Column::number("of the cost"),
                Column::number("per 1,000 tickets"),
            ],
        );
        let savings = self.savings.iter().filter(|saving| saving.tokens > 0).fold(savings, |table, saving| {
            table.row([
                saving.title().into(),
                Cell::count(saving.tokens as usize),
                saving.cost_nanousd.into(),
                Cell::Percent(saving.cost_share),
                saving.cost_per_thousand_nanousd.into(),
            ])
        });
        let mut document = document.heading(2, "Where tokens go").text(self.introduction()).table(parts);
        if !savings.rows.is_empty() {
            document = document.table(savings).note(
                "a saving is what the tokens cost. Whether the answers stay as good is for `tollgate eval` to say.",
            );
        }
        document
    }

    fn introduction(&self) -> String {
        let about = match self.tickets {
            1 => "The one ticket that a model answered".to_owned(),
            tickets => format!("The {} tickets that a model answered", counted(tickets)),
        };
        let price = self
            .input_price_per_million_nanousd
            .map_or_else(String::new, |price| format!(" Prompts cost {price} a million tokens on average."));
        let left_out = match self.tickets_left_out {
            0 => String::new(),
            tickets => format!(" {} more are left out: what they consumed is not known.", counted(tickets)),
        };
        format!("{about}. A part's share of a prompt's text stands for its share of the tokens.{price}{left_out}")
    }
}

impl Saving {
    fn title(&self) -> String {
        let part = title(self.part);
        match self.kept_percent {
            0 => format!("without {part}"),
            kept => format!("{part} cut to {kept}%"),
        }
    }
}

/// What a part is called by people.
fn title(part: &str) -> &str {
    match part {
        "system" => "instructions",
        "few_shot" => "few-shot examples",
        other => other,
    }
}

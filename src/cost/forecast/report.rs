use serde::Serialize;

use super::super::curves::Curves;
use super::Forecast;
use crate::report::{Document, Records, Render};

/// What the month will cost, and what a request would cost with other caches.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ForecastReport {
    /// The month.
    pub forecast: Forecast,
    /// The curves; `null` when they were not asked for.
    pub curves: Option<Curves>,
}

impl Render for ForecastReport {
    fn schema_name(&self) -> &'static str {
        "forecast_report"
    }

    fn document(&self) -> Document {
        let document = self.forecast.document();
        let Some(curves) = self.curves.as_ref().map(Render::document) else { return document };
        let document = document.heading(2, curves.title);
        curves.blocks.into_iter().fold(document, Document::block)
    }

    /// The curves' points; the forecast's one row when there are none.
    fn records(&self) -> Option<Records> {
        self.curves.as_ref().map_or_else(|| self.forecast.records(), Render::records)
    }
}

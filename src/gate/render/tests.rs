mod files;
mod human;
mod others;
mod pages;

use super::sample;
use crate::gate::GateReport;
use crate::report::{self, Format, Render, Style};

/// `outcome` as a terminal without colour or a file gets it.
fn shown<R: Render>(outcome: &R, format: Format, width: usize) -> String {
    let mut out = Vec::new();
    report::write(outcome, format, Style { color: false, width }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A gate of every kind.
fn all() -> [GateReport; 5] {
    [sample::pass(), sample::fail(), sample::inconclusive(), sample::escalated(), sample::judge_at_fault()]
}

/// A failed gate with few cases, so that all of it can be looked at.
fn brief() -> GateReport {
    let mut brief = sample::fail();
    brief.fell.truncate(7);
    brief.fell.drain(2..6);
    brief.rose.clear();
    brief
}

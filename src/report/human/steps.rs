use unicode_width::UnicodeWidthStr;

use super::chart::between;
use super::wrap::{Span, wrap};
use super::{INDENT, Paint};
use crate::domain::Step;
use crate::report::{Cell, Style};

/// Columns of the waterfall.
const ROOM: usize = 20;

/// A waterfall: each step's bar starts where the one before it ended.
pub(super) fn draw(steps: &[Step], style: Style) -> String {
    let total: f64 = steps.iter().map(|step| step.duration_ms).filter(|ms| ms.is_finite()).sum();
    let names = steps.iter().map(|step| step.name.width()).max().unwrap_or(0);
    let durations: Vec<String> = steps.iter().map(|step| Cell::Ms(Some(step.duration_ms)).shown()).collect();
    let duration_room = durations.iter().map(|duration| duration.width()).max().unwrap_or(0);
    let hanging = " ".repeat(INDENT.len() + names + ROOM + duration_room + 6);
    let mut text = String::new();
    let mut before = 0.0;
    for (step, duration) in steps.iter().zip(&durations) {
        let after = before + if step.duration_ms.is_finite() { step.duration_ms } else { 0.0 };
        let share = |ms: f64| if total > 0.0 { ms / total } else { 0.0 };
        let bar = Paint::Code.on(&between(share(before), share(after), ROOM), style.color);
        let name = format!("{}{}", step.name, " ".repeat(names - step.name.width()));
        let duration = format!("{}{duration}", " ".repeat(duration_room - duration.width()));
        let detail = Span { text: step.detail.clone(), paint: Paint::Dim };
        text.push_str(&wrap(&[detail], &format!("{INDENT}{name}  {bar}  {duration}  "), &hanging, style));
        before = after;
    }
    text
}

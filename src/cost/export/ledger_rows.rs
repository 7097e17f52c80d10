use super::field::{Column, Field};
use crate::domain::rfc3339;

/// Every field of a charge under the ledger's own names.
pub(super) const COLUMNS: &[Column] = &[
    ("call", |row| row.charge.call.to_string().into()),
    ("ticket", |row| row.charge.ticket.to_string().into()),
    ("tenant", |row| row.charge.tenant.as_str().into()),
    ("endpoint", |row| row.charge.endpoint.as_str().into()),
    ("task", |row| row.charge.task.as_str().into()),
    ("provider", |row| row.charge.provider.as_str().into()),
    ("model", |row| row.charge.model.as_str().into()),
    ("release", |row| row.charge.release.as_str().into()),
    ("reserved_at", |row| rfc3339(row.charge.at).into()),
    ("ended_at", |row| row.charge.ended_at.map(rfc3339).into()),
    ("state", |row| row.charge.state.as_str().into()),
    ("reserved_nanousd", |row| Field::nano(row.charge.reserved)),
    ("charged_nanousd", |row| Field::nano(row.charge.charged)),
    ("charged_input_nanousd", |row| row.charge.charged_input.map(Field::nano).into()),
    ("input_tokens", |row| row.tokens(|usage| usage.input)),
    ("output_tokens", |row| row.tokens(|usage| usage.output)),
    ("cached_input_tokens", |row| row.tokens(|usage| usage.cached_input)),
    ("cache_write_tokens", |row| row.tokens(|usage| usage.cache_write)),
    ("reasoning_tokens", |row| row.tokens(|usage| usage.reasoning)),
];

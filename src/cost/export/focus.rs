//! The columns of FOCUS, the FinOps Open Cost and Usage Specification.
//!
//! Source: <https://focus.finops.org/focus-specification/v1-2/>; its rules as data are `model-1.2.0.1.json` of the
//! FinOps Foundation's `focus_validator`. Decisions where the specification leaves room:
//!
//! - A row is one call. Its charge period is the hour that holds the reservation, so that a call across midnight on the
//!   last of a month stays in the billing period that it is booked in; the exact times are `x_ReservedAt` and `x_EndedAt`.
//! - Provider, publisher and invoice issuer are who bills for the call. Where issuer and provider differ, the billed cost
//!   would have to be 0.
//! - Quantities are tokens of prompt and answer together. Where nobody told the tokens, the call is one request.
//! - There is no unit price, because the kinds of tokens of a row have different ones: `ListUnitPrice`,
//!   `ContractedUnitPrice` and `SkuPriceDetails` are left out, as are columns of what does not exist here (regions,
//!   capacity reservations, other currencies). `InvoiceId` is there and always null, and so is
//!   `CommitmentDiscountStatus`, because the rule on a null `ConsumedQuantity` asks for it.
//!   (`focus_validator` 2.2.1 wants `InvoiceId` null and not null at once; without an invoice null is right.)
//! - Texts that a spreadsheet would take for a formula get a quote in front, though texts should stay as they are.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use jiff::{Timestamp, TimestampRound, ToSpan, Unit};

use super::field::{Column, Field, Row};
use crate::domain::{Period, Window, rfc3339};
use crate::store::ChargeState;

const TOKENS: &str = "Tokens";
const REQUESTS: &str = "Requests";

/// FOCUS columns by name, then our own.
pub(super) const COLUMNS: &[Column] = &[
    ("BilledCost", cost),
    ("BillingAccountId", |row| row.facts.project.as_str().into()),
    ("BillingAccountName", |row| row.facts.project.as_str().into()),
    ("BillingCurrency", |_| "USD".into()),
    ("BillingPeriodEnd", |row| second(month(row).ends)),
    ("BillingPeriodStart", |row| second(month(row).starts)),
    ("ChargeCategory", |_| "Usage".into()),
    ("ChargeClass", |_| Field::Missing),
    ("ChargeDescription", description),
    ("ChargeFrequency", |_| "Usage-Based".into()),
    ("ChargePeriodEnd", |row| second(hour(row).ends)),
    ("ChargePeriodStart", |row| second(hour(row).starts)),
    ("CommitmentDiscountStatus", |_| Field::Missing),
    ("ConsumedQuantity", |row| Field::Decimal(quantity(row).0)),
    ("ConsumedUnit", |row| quantity(row).1.into()),
    ("ContractedCost", cost),
    ("EffectiveCost", cost),
    ("InvoiceId", |_| Field::Missing),
    ("InvoiceIssuerName", vendor),
    ("ListCost", cost),
    ("PricingCategory", |_| "Standard".into()),
    ("PricingQuantity", |row| Field::Decimal(quantity(row).0)),
    ("PricingUnit", |row| quantity(row).1.into()),
    ("ProviderName", vendor),
    ("PublisherName", vendor),
    ("ResourceId", |row| row.charge.model.as_str().into()),
    ("ResourceName", |row| row.charge.model.split_once('/').map(|(_, model)| model).into()),
    ("ResourceType", |_| "Model".into()),
    ("ServiceCategory", |_| "AI and Machine Learning".into()),
    ("ServiceName", |row| format!("{} models", vendor_name(row)).into()),
    ("ServiceSubcategory", |_| "Generative AI".into()),
    ("SkuId", |row| row.charge.model.as_str().into()),
    ("SkuMeter", |_| "Prompt and answer tokens".into()),
    ("SkuPriceId", |row| row.charge.model.as_str().into()),
    ("SubAccountId", |row| row.charge.tenant.as_str().into()),
    ("SubAccountName", |row| row.charge.tenant.as_str().into()),
    ("SubAccountType", |_| "Tenant".into()),
    ("Tags", tags),
    ("x_CacheWriteTokens", |row| row.tokens(|usage| usage.cache_write)),
    ("x_CachedInputTokens", |row| row.tokens(|usage| usage.cached_input)),
    ("x_CallId", |row| row.charge.call.to_string().into()),
    ("x_ChargeState", |row| row.charge.state.as_str().into()),
    ("x_EndedAt", |row| row.charge.ended_at.map(rfc3339).into()),
    ("x_Endpoint", |row| row.charge.endpoint.as_str().into()),
    ("x_InputCost", |row| row.charge.charged_input.map_or(Field::Missing, Field::Dollars)),
    ("x_InputTokens", |row| row.tokens(|usage| usage.input)),
    ("x_OutputTokens", |row| row.tokens(|usage| usage.output)),
    ("x_ReasoningTokens", |row| row.tokens(|usage| usage.reasoning)),
    ("x_Release", |row| row.charge.release.as_str().into()),
    ("x_ReservedAt", |row| rfc3339(row.charge.at).into()),
    ("x_ReservedCost", |row| Field::Dollars(row.charge.reserved)),
    ("x_Task", |row| row.charge.task.as_str().into()),
    ("x_TicketId", |row| row.charge.ticket.to_string().into()),
];

fn cost<'a>(row: &Row<'a>) -> Field<'a> {
    Field::Dollars(row.charge.charged)
}

fn vendor_name<'a>(row: &Row<'a>) -> &'a str {
    row.facts.vendors.get(&row.charge.provider).unwrap_or(&row.charge.provider)
}

fn vendor<'a>(row: &Row<'a>) -> Field<'a> {
    vendor_name(row).into()
}

/// How much was consumed, and of what.
fn quantity(row: &Row<'_>) -> (i128, &'static str) {
    match row.charge.usage {
        Some(usage) => (i128::from(usage.input.0) + i128::from(usage.output.0), TOKENS),
        None => (i128::from(row.charge.state != ChargeState::Voided), REQUESTS),
    }
}

fn description<'a>(row: &Row<'a>) -> Field<'a> {
    let charge = row.charge;
    let consumed: Cow<'_, str> = match (charge.usage, charge.state) {
        (_, ChargeState::Voided) => "request that consumed nothing".into(),
        (Some(usage), _) => format!("{} prompt and {} answer tokens", usage.input, usage.output).into(),
        (None, ChargeState::WorstCase) => "request of unknown size, booked at its worst case".into(),
        (None, _) => "request of unknown size".into(),
    };
    format!("{} by {}: {consumed}", charge.task, charge.model).into()
}

/// Tags of a provider carry the provider's prefix.
fn tags<'a>(row: &Row<'a>) -> Field<'a> {
    let charge = row.charge;
    let tags = serde_json::json!({
        "tollgate/endpoint": charge.endpoint,
        "tollgate/release": charge.release,
        "tollgate/task": charge.task,
    });
    tags.to_string().into()
}

/// The calendar month of the reservation, UTC.
fn month(row: &Row<'_>) -> Window {
    Period::Month.window(row.charge.at, &TimeZone::UTC)
}

/// The hour that holds the reservation.
fn hour(row: &Row<'_>) -> Window {
    let at = row.charge.at;
    let whole = TimestampRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Floor);
    let starts = at.round(whole).unwrap_or(at);
    Window { starts, ends: starts.checked_add(1.hour()).unwrap_or(Timestamp::MAX) }
}

/// The form of times in FOCUS, `YYYY-MM-DDTHH:mm:ssZ`.
fn second(time: Timestamp) -> Field<'static> {
    format!("{time:.0}").into()
}

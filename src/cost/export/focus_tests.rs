use std::collections::BTreeMap;

use super::tests::{charge, facts, table, written};
use super::{ExportFacts, ExportFormat, focus};
use crate::domain::NanoUsd;
use crate::store::{Charge, ChargeState};

/// Columns that must be in every dataset. Source: the rules of FOCUS 1.2 as data, `model-1.2.0.1.json` of the FinOps
/// Foundation's `focus_validator` 2.2.1: presence rules with the keyword MUST and no applicability criterion.
const MANDATORY: [&str; 21] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
];

/// The same with the keyword RECOMMENDED.
const RECOMMENDED: [&str; 3] = ["ChargeFrequency", "InvoiceId", "ServiceSubcategory"];

/// The same with MUST where the provider measures usage, has sub-accounts (of more than one type), more than one pricing
/// category, resources with types, or tags.
const CONDITIONAL: [&str; 10] = [
    "ConsumedQuantity",
    "ConsumedUnit",
    "PricingCategory",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
];

/// Columns that may be there without their criterion.
const OPTIONAL: [&str; 4] = ["CommitmentDiscountStatus", "SkuId", "SkuMeter", "SkuPriceId"];

fn row(charge: Charge) -> BTreeMap<String, String> {
    table(&written(ExportFormat::Focus, ExportFacts { voided: true, ..facts() }, &[charge]).0).remove(0)
}

#[test]
fn columns_are_those_of_the_specification_and_then_our_own() {
    let names: Vec<&str> = focus::COLUMNS.iter().map(|(name, _)| *name).collect();
    let (theirs, ours): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| !name.starts_with("x_"));
    assert_eq!([theirs.clone(), ours.clone()].concat(), names, "our columns stand last");
    let mut expected = [&MANDATORY[..], &RECOMMENDED, &CONDITIONAL, &OPTIONAL].concat();
    expected.sort_unstable();
    assert_eq!(theirs, expected);
    let is_pascal = |name: &str| name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric);
    assert!(names.iter().all(|name| name.len() <= 50 && is_pascal(name.trim_start_matches("x_"))), "{names:?}");
    assert!(ours.is_sorted(), "{ours:?}");
}

#[test]
fn values_are_allowed_ones() {
    let row = row(charge(ChargeState::Settled, 1_250_000));
    let cells = |names: &[&str]| names.iter().map(|name| row[*name].clone()).collect::<Vec<_>>();
    assert_eq!(cells(&["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"]), ["0.001250000"; 4]);
    assert_eq!(cells(&["BillingCurrency", "ChargeCategory", "ChargeClass"]), ["USD", "Usage", ""]);
    assert_eq!(cells(&["ChargeFrequency", "PricingCategory", "InvoiceId"]), ["Usage-Based", "Standard", ""]);
    assert_eq!(cells(&["ServiceCategory", "ServiceSubcategory"]), ["AI and Machine Learning", "Generative AI"]);
    assert_eq!(cells(&["ProviderName", "PublisherName", "InvoiceIssuerName"]), ["OpenAI"; 3]);
    assert_eq!(cells(&["ResourceId", "ResourceName"]), ["main/gpt-4.1-mini", "gpt-4.1-mini"]);
    assert_eq!(cells(&["BillingAccountId", "SubAccountId", "SubAccountType"]), ["Example shop", "acme", "Tenant"]);
    // 1,000 tokens of prompt and 80 of answer.
    let quantities = ["ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit"];
    assert_eq!(cells(&quantities), ["1080.0", "Tokens", "1080.0", "Tokens"]);
    let tags: BTreeMap<String, String> = serde_json::from_str(&row["Tags"]).unwrap();
    assert!(tags.keys().all(|key| key.starts_with("tollgate/")), "{tags:?}");
    assert_eq!(cells(&["x_ReservedCost", "x_InputCost"]), ["0.005000000", "0.000400000"]);
    for name in MANDATORY.iter().filter(|name| **name != "ChargeClass") {
        assert!(!row[*name].trim().is_empty(), "{name} must not be null");
    }
}

#[test]
fn periods_are_half_open_and_a_call_stays_in_the_month_that_it_was_reserved_in() {
    let row = row(charge(ChargeState::Settled, 1));
    assert_eq!(row["x_EndedAt"], "2026-12-01T00:00:01.200Z");
    assert_eq!(row["ChargePeriodStart"], "2026-11-30T23:00:00Z");
    assert_eq!(row["ChargePeriodEnd"], "2026-12-01T00:00:00Z");
    assert_eq!(row["BillingPeriodStart"], "2026-11-01T00:00:00Z");
    assert_eq!(row["BillingPeriodEnd"], "2026-12-01T00:00:00Z");
}

#[test]
fn a_call_of_unknown_size_is_one_request_and_never_no_tokens() {
    let unknown = Charge { usage: None, charged_input: None, ..charge(ChargeState::WorstCase, 5_000_000) };
    let worst = row(unknown.clone());
    assert_eq!((worst["ConsumedQuantity"].as_str(), worst["ConsumedUnit"].as_str()), ("1.0", "Requests"));
    assert_eq!((worst["PricingQuantity"].as_str(), worst["PricingUnit"].as_str()), ("1.0", "Requests"));
    assert_eq!((worst["x_InputTokens"].as_str(), worst["x_InputCost"].as_str()), ("", ""));
    let voided = row(Charge { state: ChargeState::Voided, charged: NanoUsd::ZERO, ..unknown });
    assert_eq!((voided["ConsumedQuantity"].as_str(), voided["BilledCost"].as_str()), ("0.0", "0.000000000"));
}

#[test]
fn a_provider_without_a_known_vendor_bills_by_its_own_name() {
    let row = row(Charge { provider: "extractive".to_owned(), ..charge(ChargeState::Settled, 1) });
    assert_eq!((row["ProviderName"].as_str(), row["ServiceName"].as_str()), ("extractive", "extractive models"));
}

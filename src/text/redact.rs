//! Personal data and secrets: found by their form, their checksum and the words around them, and replaced by the name
//! of what they were.
//!
//! The kinds and their names are Presidio's, and its pattern cases are this module's tests. It differs on purpose where
//! Presidio only gives a low score and leaves the decision to its user: digits that could as well be an order's number
//! are taken only when a word announces them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use serde_json::{Map, Value};

mod card;
mod checksums;
mod context;
mod email;
mod ids;
mod ip;
mod kind;
mod national;
mod numbers;
mod phone;
#[cfg(test)]
mod presidio_cases;
#[cfg(test)]
mod presidio_iban;
#[cfg(test)]
mod presidio_ip;
mod secrets;
#[cfg(test)]
mod tests;
mod wallet;

pub use kind::PiiKind;

/// How often a text is looked through again after a replacement, since what a neighbour hid may now stand free.
const PASSES: usize = 8;

static PATTERNS: LazyLock<Patterns> = LazyLock::new(Patterns::new);

/// A piece of personal data or a secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: PiiKind,
    /// Where it is, in bytes.
    pub range: Range<usize>,
}

/// Finds personal data and secrets in texts and replaces them.
///
/// Redacting is idempotent, never panics, and takes time linear in the text. A text with neither digits nor `@`, `:` or
/// `=` costs one pass over its bytes.
#[derive(Clone)]
pub struct Redactor {
    patterns: &'static Patterns,
    values: HashSet<String>,
    domains: HashSet<String>,
}

impl Redactor {
    /// A redactor that leaves the values in `allow` alone, whatever their case. An entry that starts with `@` allows
    /// every e-mail address of that domain.
    pub fn new(allow: &[String]) -> Self {
        let (domains, values) =
            allow.iter().map(|entry| entry.to_lowercase()).partition(|entry| entry.starts_with('@'));
        Self { patterns: &PATTERNS, values, domains }
    }

    /// The text with each finding replaced by its kind's placeholder, such as `<EMAIL_ADDRESS>`.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut redacted = Cow::Borrowed(text);
        for _ in 0..PASSES {
            let findings = self.find(&redacted);
            if findings.is_empty() {
                break;
            }
            redacted = Cow::Owned(replaced(&redacted, &findings));
        }
        redacted
    }

    /// What [`Self::redact`] would replace first, sorted by place; no two overlap.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let mut findings = self.patterns.find(text);
        findings.retain(|finding| !self.allows(text, finding));
        findings
    }

    /// Redacts every string in a JSON value, the names of members too, and the whole text of members that are named
    /// like a password or a key. Names that become equal are numbered, so that no member is lost.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.redact(text) {
                    *text = redacted;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(members) => {
                let old = std::mem::take(members);
                for (name, mut member) in old {
                    match (secrets::is_secret_name(&name), &mut member) {
                        (Some(kind), Value::String(text)) if !text.is_empty() && !secrets::is_stand_in(text) => {
                            kind.placeholder().clone_into(text);
                        }
                        (_, member) => self.redact_json(member),
                    }
                    members.insert(free_name(members, self.redact(&name)), member);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn allows(&self, text: &str, finding: &Finding) -> bool {
        if self.values.is_empty() && self.domains.is_empty() {
            return false;
        }
        let value = text.get(finding.range.clone()).unwrap_or_default().to_lowercase();
        let domain = value.rfind('@').and_then(|at| value.get(at..));
        self.values.contains(&value)
            || (finding.kind == PiiKind::EmailAddress && domain.is_some_and(|domain| self.domains.contains(domain)))
    }
}

/// A name that no member has yet: `<EMAIL_ADDRESS>`, `<EMAIL_ADDRESS>_2`, …
fn free_name(members: &Map<String, Value>, name: Cow<'_, str>) -> String {
    if !members.contains_key(name.as_ref()) {
        return name.into_owned();
    }
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    numbered.take(members.len() + 1).find(|name| !members.contains_key(name)).unwrap_or_else(|| name.into_owned())
}

fn replaced(text: &str, findings: &[Finding]) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut from = 0;
    for finding in findings {
        redacted.push_str(text.get(from..finding.range.start).unwrap_or_default());
        redacted.push_str(finding.kind.placeholder());
        from = finding.range.end;
    }
    redacted.push_str(text.get(from..).unwrap_or_default());
    redacted
}

/// Compiles a pattern of this module.
#[expect(clippy::expect_used, reason = "the patterns are constants, and every one is compiled by every test")]
fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is valid")
}

/// All patterns, compiled once in a process.
struct Patterns {
    secrets: secrets::Secrets,
    ip: Regex,
    /// All of `ids` at once, to see which of them are worth running.
    any_id: RegexSet,
    ids: Vec<(PiiKind, Regex, ids::Check)>,
}

impl Patterns {
    #[expect(clippy::expect_used, reason = "the patterns are constants, and every one is compiled by every test")]
    fn new() -> Self {
        Self {
            secrets: secrets::Secrets::new(),
            ip: compiled(ip::VERSION_6),
            any_id: RegexSet::new(ids::PATTERNS.iter().map(|(_, pattern, _)| pattern)).expect("the patterns are valid"),
            ids: ids::PATTERNS.iter().map(|(kind, pattern, check)| (*kind, compiled(pattern), *check)).collect(),
        }
    }

    /// Findings sorted by place; of two that overlap, the one whose kind comes first in [`PiiKind::ALL`] stays.
    fn find(&self, text: &str) -> Vec<Finding> {
        let traits = Traits::of(text);
        let mut findings = Vec::new();
        let mut found = |kind, range| findings.push(Finding { kind, range });
        if traits.dashes >= 10 {
            self.secrets.blocks(text, &mut found);
        }
        if traits.longest_word >= 16 && traits.digits > 0 {
            self.secrets.tokens(text, &mut found);
        }
        if traits.signs > 0 || (traits.digits > 0 && traits.longest_word >= 6) {
            self.secrets.named(text, &mut found);
        }
        if traits.ats > 0 {
            email::find(text, &mut |range| found(PiiKind::EmailAddress, range));
        }
        if traits.digits >= 4 {
            for (kind, pattern, check) in self.any_id.matches(text).iter().filter_map(|index| self.ids.get(index)) {
                let ids = pattern.find_iter(text).filter_map(|id| check(text, id.range()));
                ids.for_each(|range| found(*kind, range));
            }
        }
        if traits.digits > 0 && traits.colons >= 2 {
            ip::version_6(&self.ip, text, &mut |range| found(PiiKind::IpAddress, range));
        }
        if traits.digits >= 7 || (traits.digits >= 4 && traits.dots >= 3) {
            numbers::Numbers::new(text).find(&mut findings);
        }
        without_overlaps(findings)
    }
}

fn without_overlaps(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| (finding.range.start, finding.kind));
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        match kept.last_mut().filter(|last| last.range.end > finding.range.start) {
            Some(last) if finding.kind < last.kind => *last = finding,
            Some(_) => {}
            None => kept.push(finding),
        }
    }
    kept
}

/// What a text is made of, to skip the searches that cannot find anything in it.
#[derive(Default)]
struct Traits {
    digits: usize,
    dots: usize,
    dashes: usize,
    colons: usize,
    ats: usize,
    /// Colons and equals signs.
    signs: usize,
    /// The most bytes without white space between.
    longest_word: usize,
}

impl Traits {
    fn of(text: &str) -> Self {
        let mut traits = Self::default();
        let mut word = 0;
        for byte in text.bytes() {
            word = if byte.is_ascii_whitespace() { 0 } else { word + 1 };
            traits.longest_word = traits.longest_word.max(word);
            match byte {
                // Digits of other scripts have two or three bytes, of which only the first tells anything.
                b'0'..=b'9' | 0xd9 | 0xdb | 0xe0 | 0xef => traits.digits += 1,
                b'.' => traits.dots += 1,
                b'-' => traits.dashes += 1,
                b'@' => traits.ats += 1,
                b':' => {
                    traits.colons += 1;
                    traits.signs += 1;
                }
                b'=' => traits.signs += 1,
                _ => {}
            }
        }
        traits
    }
}

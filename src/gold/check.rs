use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::lock::{LockState, verify};
use super::{Case, Check, GoldError, GoldSet};
use crate::domain::Severity;
use crate::text::{fold, normalize_question};

/// Fewer cases of a tag than this say nothing about it.
const FEW_CASES: usize = 5;
/// A tag on a larger share of the cases than this drowns the other tags.
const DOMINANT_SHARE: f64 = 0.8;

/// Something that is well-formed but dubious in a gold set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The line of the case, from 1; `None` when it is about the whole set.
    pub line: Option<usize>,
    /// The case's id.
    pub case: Option<String>,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Looks through all cases for what makes scores mislead, in the order of the file; findings about the whole set come last.
///
/// `known_documents` says whether the knowledge base has a document or chunk; without it they are not checked.
///
/// # Errors
/// As [`GoldSet::cases`], and when the lock file cannot be read.
pub fn check(set: &GoldSet, known_documents: Option<&dyn Fn(&str) -> bool>) -> Result<Vec<Finding>, GoldError> {
    let mut findings = Vec::new();
    let mut questions: HashMap<String, (usize, String)> = HashMap::new();
    let mut clusters: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for located in set.located_cases()? {
        let (line, case) = located?;
        let mut find = |severity, message: String, hint: &str| {
            let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
            findings.push(Finding { severity, line: Some(line), case: Some(case.id.clone()), message, hint });
        };
        match questions.get(&normalize_question(&case.question)) {
            Some((first, id)) => find(
                Severity::Error,
                format!("asks the same question as `{id}` in line {first}"),
                "remove one of them, or they count twice",
            ),
            None => drop(questions.insert(normalize_question(&case.question), (line, case.id.clone()))),
        }
        if case.expected.iter().any(|expected| expected.trim().is_empty()) {
            find(
                Severity::Error,
                "an expected answer is blank".to_owned(),
                "leave `expected` out if it must be refused",
            );
        }
        check_graders(set, &case, &mut find);
        for document in &case.expected_docs {
            if known_documents.is_some_and(|known| !known(document)) {
                let message = format!("expects document `{document}`, which the knowledge base does not have");
                find(Severity::Error, message, "correct its path, or bring it in with `tollgate kb ingest`");
            }
        }
        if let Some(cluster) = case.cluster {
            clusters.entry(cluster).or_insert((line, case.id));
        }
    }
    findings.extend(similar_clusters(&clusters));
    findings.extend(unbalanced_tags(set));
    if let LockState::Changed(lock) = verify(set)? {
        findings.push(Finding {
            severity: Severity::Error,
            line: None,
            case: None,
            message: format!("the set has changed since it was locked at {}", lock.locked_at),
            hint: Some(format!(
                "accept the change with `tollgate gold lock {} --update`, or restore the file",
                set.path.display()
            )),
        });
    }
    Ok(findings)
}

fn check_graders(set: &GoldSet, case: &Case, find: &mut impl FnMut(Severity, String, &str)) {
    let graders = set.graders_for(case);
    let mut counting = graders.iter().filter(|grader| grader.weight > 0.0).map(|grader| &grader.check);
    if case.is_answerable() {
        if !counting.any(Check::judges_content) {
            let message = "has an expected answer, but no grader that counts judges the answer's content".to_owned();
            find(Severity::Error, message, "add a grader such as `token_f1`, or give one a weight above 0");
        }
    } else if !counting.any(|check| matches!(check, Check::Refusal { .. })) {
        let message = "should be refused, but no grader that counts is `refusal`".to_owned();
        find(Severity::Warning, message, "add the grader `refusal`, or an expected answer");
    }
}

fn about_the_set(message: String, hint: &str) -> Finding {
    Finding { severity: Severity::Warning, line: None, case: None, message, hint: Some(hint.to_owned()) }
}

fn unbalanced_tags(set: &GoldSet) -> impl Iterator<Item = Finding> {
    let several = set.tags.len() > 1;
    set.tags.iter().filter_map(move |(tag, &cases)| {
        let share = cases as f64 / set.case_count as f64;
        if cases < FEW_CASES {
            let plural = if cases == 1 { "" } else { "s" };
            let message = format!("tag `{tag}` is on {cases} case{plural} only");
            Some(about_the_set(message, "a score by tag says something from about 5 cases on"))
        } else if several && share > DOMINANT_SHARE {
            let message = format!("tag `{tag}` is on {:.0} % of the cases", share * 100.0);
            Some(about_the_set(message, "add cases of other tags, or drop a tag that tells nothing apart"))
        } else {
            None
        }
    })
}

/// Clusters whose names differ by one edit, or only in case, spacing and punctuation: probably one that was misspelt.
/// Names that differ in their digits are meant to.
fn similar_clusters(clusters: &BTreeMap<String, (usize, String)>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut by_variant: HashMap<String, Vec<&str>> = HashMap::new();
    for (name, (line, case)) in clusters {
        let letters = letters(name);
        let mut compared: Vec<&str> = Vec::new();
        for variant in variants(&letters) {
            let others = by_variant.entry(variant).or_default();
            compared.extend(others.iter());
            others.push(name);
        }
        compared.sort_unstable();
        compared.dedup();
        for other in compared.into_iter().filter(|other| *other != name && almost_alike(name, other)) {
            findings.push(Finding {
                severity: Severity::Warning,
                line: Some(*line),
                case: Some(case.clone()),
                message: format!("cluster `{name}` is spelled almost like cluster `{other}`"),
                hint: Some("give cases that ask the same thing the same cluster".to_owned()),
            });
        }
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn letters(name: &str) -> String {
    fold(name).chars().filter(|character| character.is_alphanumeric()).collect()
}

fn almost_alike(one: &str, other: &str) -> bool {
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    let (one_letters, other_letters) = (letters(one), letters(other));
    digits(one) == digits(other)
        && (one_letters == other_letters
            || (one_letters.len().min(other_letters.len()) >= 4
                && strsim::damerau_levenshtein(&one_letters, &other_letters) <= 1))
}

/// The text and all texts with one character less: two texts one edit apart share one of these.
fn variants(text: &str) -> Vec<String> {
    let mut variants = vec![text.to_owned()];
    for (at, character) in text.char_indices() {
        let (before, after) = (text.get(..at), text.get(at + character.len_utf8()..));
        variants.push([before.unwrap_or_default(), after.unwrap_or_default()].concat());
    }
    variants.sort_unstable();
    variants.dedup();
    variants
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn findings(cases: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl");
        fs::write(&path, cases).unwrap();
        let set = GoldSet::open(&path, |_| Ok(())).unwrap();
        let known = |document: &str| document == "docs/a.md";
        let found = check(&set, Some(&known)).unwrap();
        found.iter().map(|f| format!("{:?} {:?} {}", f.severity, f.line, f.message)).collect()
    }

    #[test]
    fn a_sound_set_has_no_findings() {
        let cases = "{\"id\":\"a\",\"question\":\"q1\",\"expected\":\"x\",\"expected_docs\":[\"docs/a.md\"]}\n{\"id\":\"b\",\"question\":\"q2\"}\n";
        assert_eq!(findings(cases), Vec::<String>::new());
    }

    #[test]
    fn dubious_cases_are_found() {
        let cases = concat!(
            r#"{"id":"a","question":"How so?","expected":"x"}"#,
            "\n",
            r#"{"id":"b","question":"how SO","expected":[""],"expected_docs":["docs/b.md"]}"#,
            "\n",
            r#"{"id":"c","question":"q3","expected":"x","graders":["refusal",{"type":"bleu","weight":0}]}"#,
            "\n",
            r#"{"id":"d","question":"q4","graders":["token_f1"]}"#,
            "\n",
        );
        assert_eq!(
            findings(cases),
            [
                "Error Some(2) asks the same question as `a` in line 1",
                "Error Some(2) an expected answer is blank",
                "Error Some(2) expects document `docs/b.md`, which the knowledge base does not have",
                "Error Some(3) has an expected answer, but no grader that counts judges the answer's content",
                "Warning Some(4) should be refused, but no grader that counts is `refusal`",
            ]
        );
    }

    #[test]
    fn clusters_spelled_almost_alike_are_found_but_numbered_ones_are_not() {
        let cases: Vec<String> = ["refund-policy", "refund_policy", "refnud-policy", "case-1", "case-2", "login"]
            .iter()
            .enumerate()
            .map(|(n, cluster)| {
                format!("{{\"id\":\"{n}\",\"question\":\"q{n}\",\"expected\":\"x\",\"cluster\":\"{cluster}\"}}\n")
            })
            .collect();
        let found = findings(&cases.concat());
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|finding| finding.contains("ref")), "{found:?}");
    }

    #[test]
    fn tags_on_few_or_nearly_all_cases_are_found() {
        let cases: Vec<String> = (0..20)
            .map(|n| {
                let tags = if n < 2 { "[\"rare\"]" } else { "[\"common\"]" };
                format!("{{\"id\":\"{n}\",\"question\":\"q{n}\",\"expected\":\"x\",\"tags\":{tags}}}\n")
            })
            .collect();
        let expected =
            ["Warning None tag `common` is on 90 % of the cases", "Warning None tag `rare` is on 2 cases only"];
        assert_eq!(findings(&cases.concat()), expected);
    }
}

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};

use super::Case;
use crate::domain::nearest;

/// A filter that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read filter `{text}`: {reason}")]
pub struct FilterError {
    /// The filter as it was written.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to write instead.
    pub hint: String,
}

/// Selects cases by tag and id. Without any condition it selects all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    wanted: bool,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    AnyTag(Vec<String>),
    Id { text: String, glob: GlobMatcher },
}

impl Filter {
    /// Reads conditions, all of which a case must meet: `tag:T`, `tag:T,U` (any of them), `id:GLOB`, and each of these
    /// after `-` for cases that do *not* meet it. An id matches a glob as a whole; `*` also matches `/`.
    ///
    /// # Errors
    /// [`FilterError`] for the first condition that cannot be read.
    pub fn parse<S: AsRef<str>>(conditions: &[S]) -> Result<Self, FilterError> {
        let conditions = conditions.iter().map(|text| Condition::parse(text.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { conditions })
    }

    /// Whether the case meets every condition.
    pub fn matches(&self, case: &Case) -> bool {
        self.conditions.iter().all(|condition| {
            condition.wanted
                == match &condition.test {
                    Test::AnyTag(tags) => tags.iter().any(|tag| case.tags.contains(tag)),
                    Test::Id { text, glob } => case.id == *text || glob.is_match(&case.id),
                }
        })
    }

    /// Tags it names that a set (its tags and how many cases have each) does not have, with the nearest that it has.
    pub fn unknown_tags(&self, known: &BTreeMap<String, usize>) -> Vec<(String, Option<String>)> {
        let named = self.conditions.iter().filter_map(|condition| match &condition.test {
            Test::AnyTag(tags) => Some(tags),
            Test::Id { .. } => None,
        });
        named
            .flatten()
            .filter(|tag| !known.contains_key(*tag))
            .map(|tag| (tag.clone(), nearest(tag, known.keys().map(String::as_str)).map(str::to_owned)))
            .collect()
    }
}

impl Condition {
    fn parse(text: &str) -> Result<Self, FilterError> {
        let refused = |reason: String, hint: &str| FilterError { text: text.to_owned(), reason, hint: hint.to_owned() };
        let (wanted, condition) = text.strip_prefix('-').map_or((true, text), |rest| (false, rest));
        let Some((kind, value)) = condition.split_once(':') else {
            return Err(refused("it has no `:`".to_owned(), "write tag:NAME, id:GLOB, -tag:NAME or -id:GLOB"));
        };
        let selects = match kind {
            "tag" => {
                let tags: Vec<String> =
                    value.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
                if tags.is_empty() {
                    return Err(refused("it names no tag".to_owned(), "write tag:NAME, or tag:A,B for either of two"));
                }
                Test::AnyTag(tags)
            }
            "id" if value.is_empty() => {
                return Err(refused("it names no id".to_owned(), "write id:ID, or id:billing-* for all that start so"));
            }
            "id" => {
                let glob = GlobBuilder::new(value).literal_separator(false).backslash_escape(false).build().map_err(
                    |error| {
                        refused(
                            error.kind().to_string(),
                            "put brackets around a wildcard that is meant as it is: id:what[?]",
                        )
                    },
                )?;
                Test::Id { text: value.to_owned(), glob: glob.compile_matcher() }
            }
            _ => {
                let hint = match nearest(kind, ["tag", "id"]) {
                    Some(near) => format!("did you mean `{near}:{value}`?"),
                    None => "cases are selected by `tag:` and `id:`".to_owned(),
                };
                return Err(refused(format!("unknown kind `{kind}`"), &hint));
            }
        };
        Ok(Self { wanted, test: selects })
    }
}

/// The filter that selects exactly the case of this id, wildcards in it taken as they are.
pub fn filter_for_id(id: &str) -> String {
    format!("id:{}", globset::escape(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(conditions: &[&str], id: &str, tags: &[&str]) -> bool {
        let case = serde_json::json!({"id": id, "question": "q", "tags": tags});
        Filter::parse(conditions).unwrap().matches(&serde_json::from_value(case).unwrap())
    }

    #[test]
    fn all_conditions_must_hold_and_a_list_of_tags_means_any() {
        assert!(selects(&[], "a", &[]));
        assert!(selects(&["tag:x,y", "-tag:z"], "a", &["y"]));
        assert!(!selects(&["tag:x", "tag:y"], "a", &["y"]));
        assert!(!selects(&["tag:x,y", "-tag:z"], "a", &["y", "z"]));
        assert!(!selects(&["-tag:x,y"], "a", &["y"]));
    }

    #[test]
    fn ids_are_matched_by_glob() {
        assert!(selects(&["id:bill*"], "billing/42", &[]));
        assert!(!selects(&["id:bill*", "-id:*42"], "billing/42", &[]));
        assert!(!selects(&["id:bill"], "billing/42", &[]));
    }

    #[test]
    fn the_filter_for_an_id_selects_it_whatever_it_contains() {
        for id in ["a[1]", "what?", "{x}*", "plain"] {
            assert!(selects(&[&filter_for_id(id)], id, &[]), "{id}");
        }
        assert!(!selects(&[&filter_for_id("a*")], "ab", &[]));
    }

    #[test]
    fn unreadable_filters_say_what_to_write() {
        let error = |text: &str| Filter::parse(&[text]).unwrap_err();
        assert_eq!(error("tga:x").hint, "did you mean `tag:x`?");
        assert_eq!(error("x").to_string(), "cannot read filter `x`: it has no `:`");
        assert_eq!(error("id:[a").text, "id:[a");
        assert_eq!(error("tag:,").reason, "it names no tag");
    }

    #[test]
    fn tags_that_no_case_has_are_reported_with_the_nearest() {
        let known = BTreeMap::from([("billing".to_owned(), 3)]);
        let filter = Filter::parse(&["tag:biling", "-tag:zzz"]).unwrap();
        let expected = [("biling".to_owned(), Some("billing".to_owned())), ("zzz".to_owned(), None)];
        assert_eq!(filter.unknown_tags(&known), expected);
    }
}

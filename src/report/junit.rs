use super::escape;
use super::neutral;

/// A group of checks, as a CI system shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct TestSuite {
    /// Its name, such as the gold set's.
    pub name: String,
    /// Facts about the whole: release, seed, score.
    pub properties: Vec<(String, String)>,
    /// The checks.
    pub cases: Vec<TestCase>,
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct TestCase {
    /// Its name.
    pub name: String,
    /// The group it is shown under, with dots between levels.
    pub classname: String,
    /// How long it took, in seconds; `None` when it was not measured.
    pub time_s: Option<f64>,
    /// What it came to.
    pub result: CaseResult,
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseResult {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed {
        /// Why, in one line.
        message: String,
        /// The details.
        text: String,
    },
    /// It could not be checked.
    Errored {
        /// Why, in one line.
        message: String,
        /// The details.
        text: String,
    },
    /// It was not checked.
    Skipped {
        /// Why, in one line.
        message: String,
    },
}

/// JUnit XML in the form that Jenkins, GitLab and GitHub's reporters read.
pub(super) fn page(suites: &[TestSuite]) -> String {
    let all: Vec<&TestCase> = suites.iter().flat_map(|suite| &suite.cases).collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    put!(xml, "<testsuites{}>\n", totals(&all));
    for suite in suites {
        let cases: Vec<&TestCase> = suite.cases.iter().collect();
        put!(xml, "  <testsuite name=\"{}\"{}>\n", attribute(&suite.name), totals(&cases));
        if !suite.properties.is_empty() {
            xml.push_str("    <properties>\n");
            for (name, value) in &suite.properties {
                let (name, value) = (attribute(name), attribute(value));
                put!(xml, "      <property name=\"{name}\" value=\"{value}\"/>\n");
            }
            xml.push_str("    </properties>\n");
        }
        suite.cases.iter().for_each(|each| case(&mut xml, each));
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn totals(cases: &[&TestCase]) -> String {
    let count = |test: fn(&CaseResult) -> bool| cases.iter().filter(|case| test(&case.result)).count();
    let time_s: f64 = cases.iter().filter_map(|case| case.time_s).fold(0.0, |sum, time| sum + time);
    format!(
        " tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\"",
        cases.len(),
        count(|result| matches!(result, CaseResult::Failed { .. })),
        count(|result| matches!(result, CaseResult::Errored { .. })),
        count(|result| matches!(result, CaseResult::Skipped { .. })),
        seconds(time_s),
    )
}

fn case(xml: &mut String, case: &TestCase) {
    let time = case.time_s.filter(|s| s.is_finite()).map_or_else(String::new, |s| format!(" time=\"{}\"", seconds(s)));
    let (name, classname) = (attribute(&case.name), attribute(&case.classname));
    put!(xml, "    <testcase name=\"{name}\" classname=\"{classname}\"{time}");
    let (element, message, text) = match &case.result {
        CaseResult::Passed => return xml.push_str("/>\n"),
        CaseResult::Failed { message, text } => ("failure", message, text.as_str()),
        CaseResult::Errored { message, text } => ("error", message, text.as_str()),
        CaseResult::Skipped { message } => ("skipped", message, ""),
    };
    let (message, text) = (attribute(message), content(text));
    put!(xml, ">\n      <{element} message=\"{message}\"");
    if text.is_empty() {
        xml.push_str("/>\n");
    } else {
        put!(xml, ">{text}</{element}>\n");
    }
    xml.push_str("    </testcase>\n");
}

fn seconds(seconds: f64) -> String {
    format!("{:.6}", if seconds.is_finite() { seconds } else { 0.0 })
}

fn attribute(text: &str) -> String {
    escape::markup(&neutral::line(&valid(text)))
}

fn content(text: &str) -> String {
    escape::markup(&neutral::text(&valid(text)))
}

/// `text` without the characters that no XML document may hold, even escaped.
///
/// Source: XML 1.0 (fifth edition), production 2, `Char`.
fn valid(text: &str) -> String {
    let allowed =
        |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    text.chars().filter(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(result: CaseResult) -> String {
        let case = TestCase { name: "a".into(), classname: "set".into(), time_s: Some(0.5), result };
        page(&[TestSuite { name: "set".into(), properties: Vec::new(), cases: vec![case] }])
    }

    #[test]
    fn what_xml_forbids_is_dropped_and_the_rest_escaped() {
        let xml = one(CaseResult::Failed { message: "a\0b\n\"c\"".into(), text: "\u{FFFE}]]> <x>\u{1b}[1m".into() });
        assert!(xml.contains("<failure message=\"ab &quot;c&quot;\">]]&gt; &lt;x&gt;[1m</failure>"), "{xml}");
    }

    #[test]
    fn results_are_counted_once() {
        let totals = |result| one(result).lines().nth(1).unwrap().to_owned();
        let skipped = totals(CaseResult::Skipped { message: "filtered".into() });
        assert_eq!(skipped, "<testsuites tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"1\" time=\"0.500000\">");
        assert!(totals(CaseResult::Errored { message: String::new(), text: String::new() }).contains("errors=\"1\""));
    }
}

//! ROUGE-L against the values stored with the MT-RAG benchmark's human evaluation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tollgate::eval::grade::rouge_l;

// IBM/mt-rag-benchmark cc5b1d4: `RougeL` of an evaluation compares `model_response` with the task's only target, as
// rouge-score 0.1.2 without stemmer. The model `reference` repeats the target, so only the other two tell anything.
#[test]
fn scores_equal_those_stored_in_mtrag() {
    let file = data_directory().join("mtrag_human.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        #[expect(clippy::print_stderr, reason = "a test that checks nothing says so")]
        {
            eprintln!("skipped: {} is not there", file.display());
        }
        return;
    };
    let data: Value = serde_json::from_str(&text).unwrap();
    let targets: HashMap<&str, &str> = list(&data["tasks"])
        .iter()
        .map(|task| (text_of(&task["task_id"]), text_of(&task["targets"][0]["text"])))
        .collect();
    let mut compared = 0;
    for evaluation in list(&data["evaluations"]).iter().filter(|evaluation| evaluation["model_id"] != "reference") {
        let task = text_of(&evaluation["task_id"]);
        let stored = evaluation["annotations"]["RougeL"]["system"]["value"].as_f64().unwrap();
        let found = rouge_l(text_of(&evaluation["model_response"]), targets[task]);
        assert!((found - stored).abs() < 1e-4, "{task}: {found} is not {stored}");
        compared += 1;
    }
    assert_eq!(compared, 318);
}

#[expect(clippy::disallowed_methods, reason = "a test has no configuration to read this from")]
fn data_directory() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    std::env::var_os("TOLLGATE_DATA").map_or_else(default, PathBuf::from)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

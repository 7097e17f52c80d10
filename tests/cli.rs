//! What all commands share: help, version, formats, the output file, exit codes, schemas.

#![cfg(test)]

mod common;

use common::{Project, TOLLGATE};
use serde_json::Value;

#[test]
fn help_shows_commands_global_options_and_exit_codes() {
    let project = Project::empty();
    insta::assert_snapshot!(project.run(&["--help"]).transcript(), @r"
    exit 0
    --- stdout
    Evaluate AI support assistants and govern what they cost

    Usage: tollgate [OPTIONS] <COMMAND>

    Commands:
      init           Scaffold a project that evaluates at once
      ask            Ask one question through the whole pipeline
      kb             The knowledge base that answers draw on
      prompts        Prompts: immutable, versioned artifacts with typed inputs and outputs
      eval           Replay a gold set and grade the answers
      runs           Stored evaluation runs
      compare        Compare two stored runs over the same gold set, case by case
      gate           Compare a candidate with a baseline and give a verdict: pass, fail or inconclusive
      migrate        Migrations: ordered changes of what the assistant does, applied behind a gate
      lift           Is a feature worth what it costs?
      tune           Find the best value of a setting on a gold set, and propose it as a migration
      cost           What answers cost, and where the money goes
      budget         What may be spent, and what is spent of it
      margin         Gross margin by plan and tenant, and what would bring it to the target
      ledger         The books behind every budget and report
      reprice        What the same calls would have cost under another price book
      gold           Gold sets: import, check, freeze
      judge          Compare the model that judges answers with people
      prices         Show, check or import what models cost
      mock-provider  Run a vendor that answers like OpenAI, Anthropic and Gemini, with the latency and
                     the faults you want
      doctor         Check that everything is in place, and say what to do where it is not
      schema         List or print the JSON Schemas of outputs and files
      completions    Print a shell's completion script
      man            Print the manual page, or write the pages of all commands to a directory

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Global options:
      -C, --project <DIR>            The project: a directory with tollgate.toml [default: the nearest
                                     one at or above the current directory] [env: TOLLGATE_PROJECT=]
          --format <FORMAT>          How the result is written [default: human] [possible values: human,
                                     json, markdown, junit, csv, html]
      -o, --output <FILE>            Write the result to FILE instead of stdout; on failure the file is
                                     left as it was
      -q, --quiet                    No progress and no notes on stderr, only errors
      -v, --verbose...               More log lines on stderr; twice for all of them
          --log-format <LOG_FORMAT>  How log lines look [default: `log.format` of tollgate.toml]
                                     [possible values: text, json]

    Exit codes:
      0  done, and every check passed
      1  a check failed
      2  wrong usage or configuration
      3  could not run (store, network, provider, interrupted)
      4  inconclusive: not enough evidence for a verdict
    --- stderr
    ");
    insta::assert_snapshot!(project.run(&[]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    Evaluate AI support assistants and govern what they cost

    Usage: tollgate [OPTIONS] <COMMAND>

    Commands:
      init           Scaffold a project that evaluates at once
      ask            Ask one question through the whole pipeline
      kb             The knowledge base that answers draw on
      prompts        Prompts: immutable, versioned artifacts with typed inputs and outputs
      eval           Replay a gold set and grade the answers
      runs           Stored evaluation runs
      compare        Compare two stored runs over the same gold set, case by case
      gate           Compare a candidate with a baseline and give a verdict: pass, fail or inconclusive
      migrate        Migrations: ordered changes of what the assistant does, applied behind a gate
      lift           Is a feature worth what it costs?
      tune           Find the best value of a setting on a gold set, and propose it as a migration
      cost           What answers cost, and where the money goes
      budget         What may be spent, and what is spent of it
      margin         Gross margin by plan and tenant, and what would bring it to the target
      ledger         The books behind every budget and report
      reprice        What the same calls would have cost under another price book
      gold           Gold sets: import, check, freeze
      judge          Compare the model that judges answers with people
      prices         Show, check or import what models cost
      mock-provider  Run a vendor that answers like OpenAI, Anthropic and Gemini, with the latency and
                     the faults you want
      doctor         Check that everything is in place, and say what to do where it is not
      schema         List or print the JSON Schemas of outputs and files
      completions    Print a shell's completion script
      man            Print the manual page, or write the pages of all commands to a directory

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Global options:
      -C, --project <DIR>            The project: a directory with tollgate.toml [default: the nearest
                                     one at or above the current directory] [env: TOLLGATE_PROJECT=]
          --format <FORMAT>          How the result is written [default: human] [possible values: human,
                                     json, markdown, junit, csv, html]
      -o, --output <FILE>            Write the result to FILE instead of stdout; on failure the file is
                                     left as it was
      -q, --quiet                    No progress and no notes on stderr, only errors
      -v, --verbose...               More log lines on stderr; twice for all of them
          --log-format <LOG_FORMAT>  How log lines look [default: `log.format` of tollgate.toml]
                                     [possible values: text, json]

    Exit codes:
      0  done, and every check passed
      1  a check failed
      2  wrong usage or configuration
      3  could not run (store, network, provider, interrupted)
      4  inconclusive: not enough evidence for a verdict
    ");
}

#[test]
fn every_command_has_help_with_an_example() {
    let project = Project::empty();
    let commands = [
        "init",
        "ask",
        "kb ingest",
        "kb search",
        "kb status",
        "kb remove",
        "prompts list",
        "prompts show",
        "prompts diff",
        "prompts check",
        "prompts new",
        "eval",
        "runs list",
        "runs show",
        "runs prune",
        "compare",
        "gold import",
        "gold check",
        "gold lock",
        "doctor",
        "schema",
        "completions",
        "man",
    ];
    for name in commands {
        let arguments: Vec<&str> = name.split(' ').chain(["--help"]).collect();
        let help = project.run(&arguments).exits(0).says("Example").says(&format!("tollgate {name}"));
        let longest = help.stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 120, "{name}: a line of {longest} characters");
    }
}

#[test]
fn the_version_is_the_packages() {
    let expected = format!("tollgate {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Project::empty().run(&["--version"]).exits(0).stdout, expected);
}

#[test]
fn wrong_usage_exits_2_and_suggests() {
    let project = Project::empty();
    insta::assert_snapshot!(project.run(&["evla"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: unrecognized subcommand 'evla'

      tip: a similar subcommand exists: 'eval'

    Usage: tollgate [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.run(&["eval", "--fail-unter", "1"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: unexpected argument '--fail-unter' found

      tip: a similar argument exists: '--fail-under'

    Usage: tollgate eval --fail-under <SCORE> [GOLD_SET]

    For more information, try '--help'.
    ");
    project
        .run(&["eval", "--format", "yaml"])
        .exits(2)
        .complains("[possible values: human, json, markdown, junit, csv, html]");
}

#[test]
fn json_outputs_of_every_command_keep_to_their_published_schemas() {
    let project = Project::echo("forty two", 0);
    project.write("q.csv", "question,expected\nHow long?,30 days\n");
    project.append("tollgate.toml", "\n[kb.sources.more]\npath = \"more\"\n");
    project.write("more/bad.txt", b"\xff");
    project.write("more/rows.jsonl", "{\"a\": \"text\"}\n{oops\n");
    let commands: &[(&[&str], i32)] = &[
        (&["init", "made"], 0),
        (&["kb", "ingest"], 0),
        (&["kb", "search", "refund", "--explain"], 0),
        (&["kb", "status", "--documents"], 0),
        (&["kb", "remove", "docs/shipping.md"], 0),
        (&["ask", "What is it?", "--trace"], 0),
        (&["ask", "What is it?"], 0),
        (&["-C", "made", "ask", "What is the colour of Ganymede?"], 0),
        (&["-C", "made", "eval", "made/gold_sets/starter.jsonl"], 0),
        (&["-C", "made", "lift", "rag", "made/gold_sets/starter.jsonl"], 0),
        (&["-C", "made", "tune", "threshold", "made/gold_sets/starter.jsonl"], 0),
        (&["-C", "made", "tune", "fusion", "made/gold_sets/starter.jsonl"], 0),
        (&["eval", "--dry-run"], 0),
        (&["eval", "--fail-under", "0.9"], 1),
        (&["eval", "--filter", "tag:orders", "--repeats", "2"], 0),
        (&["eval", "--max-cost", "0.00001", "--concurrency", "1"], 3),
        (&["runs", "list"], 0),
        (&["runs", "show", "latest"], 0),
        (&["prompts", "list"], 0),
        (&["prompts", "show", "answer"], 0),
        (&["prompts", "diff", "answer", "v1", "v2"], 0),
        (&["prompts", "check"], 0),
        (&["prompts", "new", "answer"], 0),
        (&["migrate", "status"], 0),
        (&["migrate", "new", "more", "--set", "retrieval.top_k=6"], 0),
        (&["migrate", "up", "--to", "1"], 0),
        (&["migrate", "down"], 0),
        (&["gate", "--baseline", "2", "--candidate", "3"], 0),
        (&["gate", "show"], 0),
        (&["gate", "aa", "--release", "3", "--repeats", "2", "--rounds", "10"], 0),
        (&["gate", "bless", "3", "--reason", "a test"], 0),
        (&["gate", "flaky", "list"], 0),
        (&["gold", "check", "gold_sets/starter.jsonl"], 1),
        (&["gold", "lock", "gold_sets/starter.jsonl"], 0),
        // The extractive model gives no opinion, so that nothing can be judged.
        (&["judge", "calibrate", "labels.csv"], 3),
        (&["doctor"], 1),
        (&["runs", "prune", "--keep", "1", "--dry-run"], 0),
        (&["budget", "set", "tenant:shared", "--month", "1", "--reason", "a test"], 0),
        (&["budget", "alerts"], 0),
        (&["cost", "report"], 0),
        (&["cost", "drift"], 0),
        (&["cost", "forecast"], 0),
        (&["margin"], 4),
        (&["ledger", "verify"], 0),
        (&["reprice", "--book", "book.json"], 0),
        (&["schema"], 0),
    ];
    project.append("tollgate.toml", "\n[plans.pro]\nprice_usd_per_month = 500\n[tenants.shared]\nplan = \"pro\"\n");
    project.append("tollgate.toml", "\n[judge]\nmodel = \"extractive/small\"\n");
    project.write("labels.csv", "question,expected,answer,label\nq?,e,a,pass\n");
    project.write("book.json", PRICE_BOOK);
    let mut seen = Vec::new();
    let mut check = |arguments: &[&str], output: &Value| {
        assert_eq!(common::schema_problems(project.path(), output), [""; 0], "{arguments:?}\n{output:#}");
        seen.push(output["schema"].as_str().unwrap().split('/').next().unwrap().to_owned());
    };
    for (arguments, code) in commands {
        let run = project.run(&[arguments, &["--format", "json"][..]].concat()).exits(*code);
        check(arguments, &run.json());
    }
    let import = ["gold", "import", "q.csv", "-o", "q.jsonl", "--format", "json"];
    check(&import, &project.run(&import).exits(0).json());
    let runs = project.json(&["runs", "list"])["runs"].clone();
    let [first, second] = [1, 2].map(|index| runs[index]["run"].as_str().unwrap().to_owned());
    let compare = ["compare", &first, &second, "--format", "json"];
    check(&compare, &project.run(&compare).exits(0).json());

    for _ in 0..2 {
        project.run(&["eval", "--bounds", "never"]);
    }
    let runs = project.json(&["runs", "list"])["runs"].clone();
    let [first, second] = [0, 1].map(|index| runs[index]["run"].as_str().unwrap().to_owned());
    let diff = ["cost", "diff", "--baseline", &second, "--candidate", &first, "--format", "json"];
    // No case of these is resolved, so that no cost per outcome is known.
    check(&diff, &project.run(&diff).exits(4).json());

    for prices in [&["prices", "list", "--format", "json"][..], &["prices", "check", "--format", "json"]] {
        check(prices, &project.run(prices).exits(0).json());
    }
    project.write("map.json", PRICE_MAP);
    let prices = ["prices", "import", "map.json", "--format", "json"];
    check(&prices, &project.run(&prices).exits(0).json());
    check(&["mock-provider"], &common::MockVendor::start(&serde_json::json!({})).said);

    let published = project.json(&["schema"])["schemas"].clone();
    let names = published.as_array().unwrap().iter().map(|schema| schema["name"].as_str().unwrap());
    let unseen: Vec<&str> = names.filter(|name| !seen.iter().any(|seen| seen == name)).collect();
    assert_eq!(unseen, ["budget_problem", "gold_case", "gold_header"], "no command above wrote these");
}

const PRICE_BOOK: &str = r#"{"format": 1, "version": "test", "date": "2026-11-01", "source": "a test", "entries": []}"#;

/// A price map of one model, in LiteLLM's form.
const PRICE_MAP: &str = r#"{"gpt-4o-mini": {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 128000,
    "max_output_tokens": 16384, "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07}}"#;

#[test]
fn the_lines_of_a_gold_set_keep_to_their_published_schemas() {
    let project = Project::new();
    let validator = |name: &str| jsonschema::validator_for(&project.run(&["schema", name]).exits(0).json()).unwrap();
    let (header, case) = (validator("gold_header"), validator("gold_case"));
    for line in project.read("gold_sets/starter.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line.get("gold_set") {
            Some(found) => assert!(header.is_valid(found), "{line}"),
            None => assert!(case.is_valid(&line), "{line}"),
        }
    }
    insta::assert_snapshot!(project.run(&["schema", "evalreport"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: no schema is called `evalreport`
    hint: did you mean `eval_report`?
    ");
}

#[test]
fn every_command_writes_every_text_format_and_says_which_it_cannot() {
    let project = Project::echo("forty two", 0);
    for format in ["human", "json", "markdown", "html"] {
        for arguments in
            [&["kb", "status"][..], &["prompts", "list"], &["doctor"], &["schema"], &["runs", "list"], &["ask", "x?"]]
        {
            let run = project.run(&[arguments, &["--format", format, "-q"]].concat()).exits(0);
            assert!(!run.stdout.is_empty() && run.stderr.is_empty(), "{}", run.transcript());
        }
    }
    for format in ["csv", "junit"] {
        let run = project.run(&["prompts", "list", "--format", format]).exits(2);
        let run = run.complains(&format!("error: `prompt_list` cannot be written as {format}\nhint: "));
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn the_output_file_is_replaced_only_by_a_complete_result() {
    let project = Project::echo("forty two", 0);
    let run = project.run(&["eval", "--format", "json", "-o", "report.json"]).exits(0);
    assert_eq!(run.stdout, "");
    let report = project.read("report.json");
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["schema"], "eval_report/v1");
    project.run(&["eval", "nix.jsonl", "-o", "report.json"]).exits(2);
    assert_eq!(project.read("report.json"), report);
    project
        .run(&["runs", "list", "-o", "no/such/dir/x"])
        .exits(2)
        .complains("no/such/dir of `--output` does not exist");
    let left: Vec<_> = std::fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".tmp")), "{left:?}");
}

#[test]
fn an_output_that_is_no_file_is_written_to_and_not_replaced() {
    let project = Project::empty();
    let run =
        project.shell("mkfifo pipe; cat pipe >got & \"$1\" schema -o pipe --format json; wait; test -p pipe").exits(0);
    assert_eq!(run.stdout, "");
    assert_eq!(serde_json::from_str::<Value>(&project.read("got")).unwrap()["schema"], "schema_list/v1");
}

#[test]
fn colours_are_for_terminals_and_not_for_those_who_do_not_want_them() {
    let project = Project::new();
    let plain = project.run(&["doctor"]).exits(0);
    assert!(!plain.stdout.contains('\u{1b}'), "{}", plain.transcript());
    // `script` of util-linux gives the program a terminal.
    if std::process::Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success()) {
        let terminal =
            |environment: &str| project.shell(&format!("{environment} script -qec \"$1 doctor\" /dev/null")).stdout;
        assert!(terminal("TERM=xterm").contains("\u{1b}["), "no colour on a terminal");
        assert!(!terminal("TERM=xterm NO_COLOR=1").contains("\u{1b}["), "colour in spite of NO_COLOR");
    }
}

#[test]
fn quiet_silences_notes_but_not_errors() {
    let project = Project::new();
    project.run(&["ask", "Do you deliver to Norway?"]).exits(0).complains("knowledge base brought up to date");
    project.edit("docs/returns.md", "30 days", "31 days");
    assert_eq!(project.run(&["ask", "Do you deliver to Norway?", "--quiet"]).exits(0).stderr, "");
    project.run(&["ask", "", "--quiet"]).exits(2).complains("error: the question is empty");
}

#[test]
fn completions_are_made_for_every_shell() {
    let project = Project::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        project.run(&["completions", shell]).exits(0).says("fail-under");
    }
    project.run(&["completions", "basch"]).exits(2).complains("bash");
    project.shell("\"$1\" completions bash | bash -n").exits(0);
}

#[test]
fn manual_pages_are_printed_or_written() {
    let project = Project::empty();
    project.run(&["man"]).exits(0).says(".TH tollgate 1");
    project.run(&["man", "man1"]).exits(0);
    let pages = std::fs::read_dir(project.file("man1")).unwrap().count();
    assert!(pages > 20, "{pages} pages");
    assert!(project.file("man1/tollgate-eval.1").exists() && !TOLLGATE.is_empty());
}

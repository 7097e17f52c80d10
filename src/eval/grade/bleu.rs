use std::collections::HashMap;

const MAX_ORDER: usize = 4;

/// Sentence BLEU of `answer` against all of `expected`, 0..=1.
///
/// Equal to `sacrebleu.sentence_bleu` (13a tokens, case kept, exponential smoothing, effective order) divided by 100;
/// 0 without a shared word.
///
/// Source: Papineni et al. (2002), BLEU; smoothing: Chen & Cherry (2014), method 3; Post (2018) for sacrebleu.
pub fn sentence_bleu(answer: &str, expected: &[impl AsRef<str>]) -> f64 {
    let mut ids = HashMap::new();
    let mut words = |text: &str| -> Vec<u32> {
        tokenize(text)
            .split_whitespace()
            .map(|word| {
                let next = ids.len() as u32 + 1;
                *ids.entry(word.to_owned()).or_insert(next)
            })
            .collect()
    };
    let answer = words(answer);
    let expected: Vec<Vec<u32>> = expected.iter().map(|text| words(text.as_ref())).collect();
    let lengths = expected.iter().map(Vec::len);
    let Some(length) = lengths.min_by_key(|length| (length.abs_diff(answer.len()), *length)) else { return 0.0 };

    let mut smoothing = 1.0;
    let mut logs = Vec::with_capacity(MAX_ORDER);
    for order in 1..=MAX_ORDER.min(answer.len()) {
        let (matched, total) = matches(&answer, &expected, order);
        // Without a shared word there is no longer match either.
        if order == 1 && matched == 0 {
            return 0.0;
        }
        if matched == 0 {
            smoothing *= 2.0;
            logs.push((1.0 / (smoothing * total as f64)).ln());
        } else {
            logs.push((matched as f64 / total as f64).ln());
        }
    }
    let Some(mean) = crate::stats::mean(&logs) else { return 0.0 };
    let brevity = (1.0 - length as f64 / answer.len() as f64).min(0.0);
    (mean + brevity).exp().min(1.0)
}

/// How many n-grams of `answer` occur in `expected` (each at most as often as in one of them), and how many there are.
fn matches(answer: &[u32], expected: &[Vec<u32>], order: usize) -> (usize, usize) {
    let mut most: HashMap<&[u32], usize> = HashMap::new();
    for words in expected {
        for (gram, count) in counts(words, order) {
            let known = most.entry(gram).or_default();
            *known = count.max(*known);
        }
    }
    let found = counts(answer, order).into_iter().map(|(gram, count)| count.min(*most.get(gram).unwrap_or(&0))).sum();
    (found, answer.len() + 1 - order)
}

fn counts(words: &[u32], order: usize) -> HashMap<&[u32], usize> {
    let mut counts = HashMap::new();
    for gram in words.windows(order) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}

/// Sets words and marks apart by white space, as mteval-v13a does for Western languages.
fn tokenize(text: &str) -> String {
    let text = text.trim_end().replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    let text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let mut apart = String::with_capacity(text.len() * 2);
    apart.push(' ');
    for character in text.chars() {
        // The marks of ASCII but for the apostrophe, comma, hyphen and full stop.
        if character.is_ascii_punctuation() && !matches!(character, '\'' | ',' | '-' | '.') {
            apart.extend([' ', character, ' ']);
        } else {
            apart.push(character);
        }
    }
    apart.push(' ');
    let is_stop = |character| matches!(character, '.' | ',');
    // A full stop or comma stays only between two digits; a hyphen leaves the digit before it.
    let apart = separate(&apart, |first, second| !first.is_ascii_digit() && is_stop(second), "", " ");
    let apart = separate(&apart, |first, second| is_stop(first) && !second.is_ascii_digit(), " ", "");
    separate(&apart, |first, second| first.is_ascii_digit() && second == '-', "", " ")
}

/// Puts a space between every two neighbours that `are_apart`, with `before` and `after` around them; like a regular
/// expression, it goes on after both.
fn separate(text: &str, are_apart: impl Fn(char, char) -> bool, before: &str, after: &str) -> String {
    let mut apart = String::with_capacity(text.len() * 2);
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.next() {
        match characters.next_if(|second| are_apart(first, *second)) {
            Some(second) => {
                apart.push_str(before);
                apart.extend([first, ' ', second]);
                apart.push_str(after);
            }
            None => apart.push(first),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_sacrebleu() {
        // sacrebleu 2.6.0: sentence_bleu(answer, expected).score / 100
        let cases: [(&str, &[&str], f64); 20] = [
            ("the cat sat on the mat", &["the cat is on the mat"], 0.379_917_842_825_796_3),
            (
                "The budget caps the monthly spend of a tenant.",
                &["The budget caps the monthly spend of a tenant."],
                1.0,
            ),
            ("It costs $1,500.25, not 2.5%!", &["It costs $1,500.25 and not 2.5%."], 0.431_670_010_685_225_4),
            ("Hello, world... (really)", &["Hello world; really?"], 0.062_746_553_109_947_41),
            ("Größe über alles, naïve café – ok…", &["Größe über alles: naïve café – ok."], 0.305_097_521_605_629_1),
            ("yes", &["yes"], 1.0),
            ("yes it is", &["no it is not"], 0.394_322_376_511_628_77),
            ("no", &["yes"], 0.0),
            ("", &["anything"], 0.0),
            ("   ", &["anything"], 0.0),
            ("the the the the", &["the cat"], 0.159_735_776_061_568_1),
            (
                "a quick brown fox",
                &["the quick brown fox jumps", "a quick brown dog", "one quick fox over there"],
                0.840_896_415_253_714_5,
            ),
            (
                "it is a guide to action which ensures that the military always obeys the commands of the party",
                &[
                    "it is a guide to action that ensures that the military will forever heed party commands",
                    "it is the guiding principle which guarantees the military forces always being under the command of the party",
                    "it is the practical guide for the army always to heed the directions of the party",
                ],
                0.504_566_684_005_848_5,
            ),
            (
                "5-4 and 10-year, re-use x.y .5 1. 2,",
                &["5 - 4 and 10 -year, re-use x.y 0.5 1 . 2"],
                0.471_837_200_935_120_1,
            ),
            ("&quot;a&quot; &amp; b &lt;c&gt; <skipped>d e", &["\"a\" & b <c> d e"], 1.0),
            ("line one\nline two hyph-\nenated end-\n", &["line one line two hyphenated end"], 0.759_835_685_651_592_7),
            ("日本語。テスト, です", &["日本語。テスト です"], 0.346_680_637_175_317_3),
            ("one two three", &["one two three four five six seven"], 0.263_597_138_115_726_8),
            ("a_b [c] {d} `e` ~f ^g 'h' i/j k:l m;n", &["a b [c] {d} e ~f ^g 'h' i / j k:l m;n"], 0.746_521_458_282_72),
            ("same words different order here now", &["now here order different words same"], 0.127_033_187_038_653_77),
        ];
        for (answer, expected, score) in cases {
            let found = sentence_bleu(answer, expected);
            assert!((found - score).abs() < 1e-9, "{answer}: {found} is not {score}");
        }
    }

    #[test]
    fn without_an_expected_answer_there_is_no_match() {
        assert!(sentence_bleu("yes", &[""; 0]).abs() < f64::EPSILON);
    }
}

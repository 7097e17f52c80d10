use super::{Saving, TokenPart, TokenReport};
use crate::cost::report::amount::{divided, narrow, per, share};
use crate::domain::NanoUsd;
use crate::store::TicketSpend;

/// A token is counted in so many parts, so that thousands of small parts of prompts do not round away.
const FINENESS: i128 = 1_000_000;

/// Running sums of a [`TokenReport`].
#[derive(Debug, Default)]
pub(in crate::cost) struct TokenTally {
    tickets: u64,
    left_out: u64,
    input: u64,
    output: u64,
    charged: i128,
    charged_input: i128,
    /// Of the system text, the examples, the passages and the question: tokens times [`FINENESS`].
    parts: [i128; 4],
}

impl TokenTally {
    /// Adds one ticket; one that no model was asked about changes nothing.
    pub(in crate::cost) fn add(&mut self, ticket: &TicketSpend) {
        let Some(prompt) = ticket.outcome.as_ref().and_then(|outcome| outcome.prompt) else { return };
        let texts = [prompt.system, prompt.few_shot, prompt.passages, prompt.question].map(i128::from);
        // A worst case is not divided by kind, and a prompt that cost nothing in a call that did is an unknown one.
        let unknown = ticket.uncertain != NanoUsd::ZERO
            || ticket.charged_input == NanoUsd::ZERO && ticket.charged != NanoUsd::ZERO;
        if unknown || ticket.input_tokens == 0 || texts.iter().sum::<i128>() == 0 {
            self.left_out += 1;
            return;
        }
        self.tickets += 1;
        self.input = self.input.saturating_add(ticket.input_tokens);
        self.output = self.output.saturating_add(ticket.output_tokens);
        self.charged += i128::from(ticket.charged.0);
        self.charged_input += i128::from(ticket.charged_input.0);
        for (sum, part) in self.parts.iter_mut().zip(divided(i128::from(ticket.input_tokens) * FINENESS, texts)) {
            *sum += part;
        }
    }

    /// What they come to; `None` without tickets that something is known of.
    pub(in crate::cost) fn finish(self) -> Option<TokenReport> {
        if self.tickets == 0 {
            return None;
        }
        let tokens = divided(i128::from(self.input), self.parts);
        let costs = divided(self.charged_input, tokens);
        let answer = ("answer", i128::from(self.output), self.charged - self.charged_input);
        let prompt = ["system", "few_shot", "passages", "question"].into_iter().zip(tokens).zip(costs);
        let all = i128::from(self.input) + i128::from(self.output);
        let parts: Vec<TokenPart> = prompt
            .map(|((part, tokens), cost)| (part, tokens, cost))
            .chain([answer])
            .map(|(part, tokens, cost)| TokenPart {
                part,
                tokens: tokens as u64,
                tokens_per_ticket: share(tokens, i128::from(self.tickets)),
                share: share(tokens, all),
                cost_nanousd: narrow(cost),
                cost_share: share(cost, self.charged),
            })
            .collect();
        let savings = [("passages", 75), ("passages", 50), ("passages", 25), ("few_shot", 0)];
        let savings = savings
            .into_iter()
            .filter_map(|(name, kept)| Some(self.saving(parts.iter().find(|part| part.part == name)?, kept)))
            .collect();
        Some(TokenReport {
            tickets: self.tickets,
            tickets_left_out: self.left_out,
            input_tokens: self.input,
            output_tokens: self.output,
            input_nanousd: narrow(self.charged_input),
            output_nanousd: narrow(self.charged - self.charged_input),
            input_price_per_million_nanousd: per(self.charged_input * 1_000_000, self.input),
            parts,
            savings,
        })
    }

    fn saving(&self, part: &TokenPart, kept_percent: u32) -> Saving {
        let gone = i128::from(100_u32.saturating_sub(kept_percent));
        let (tokens, cost) = (i128::from(part.tokens) * gone, i128::from(part.cost_nanousd.0) * gone);
        let saved = per(cost, 100).unwrap_or_default();
        Saving {
            part: part.part,
            kept_percent,
            tokens: ((tokens + 50) / 100) as u64,
            cost_nanousd: saved,
            cost_share: share(i128::from(saved.0), self.charged),
            tokens_per_thousand: tokens as f64 * 10.0 / self.tickets as f64,
            cost_per_thousand_nanousd: per(cost * 10, self.tickets).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::{AnswerPath, TicketId};
    use crate::store::{OutcomeRow, PromptParts};

    fn ticket(prompt: impl Into<Option<PromptParts>>, tokens: [u64; 2], charged: [i64; 2]) -> TicketSpend {
        let id: TicketId = "tkt_0193f2c47b3a7c22a1b2c3d4e5f60718".parse().unwrap();
        let [input_tokens, output_tokens] = tokens;
        let [charged_input, charged_output] = charged;
        let outcome = OutcomeRow {
            ticket: id,
            tenant: "acme".into(),
            endpoint: "ask".into(),
            release: "r".into(),
            at: Timestamp::UNIX_EPOCH,
            path: Some(AnswerPath::Small),
            resolved: true,
            score: None,
            latency_ms: 1.0,
            prompt: prompt.into(),
        };
        TicketSpend {
            ticket: id,
            tenant: "acme".into(),
            endpoint: "ask".into(),
            at: Timestamp::UNIX_EPOCH,
            outcome: Some(outcome),
            charged: NanoUsd(charged_input + charged_output),
            uncertain: NanoUsd::ZERO,
            input_tokens,
            output_tokens,
            charged_input: NanoUsd(charged_input),
            calls: 1,
        }
    }

    fn prompt(system: u64, few_shot: u64, passages: u64, question: u64) -> PromptParts {
        PromptParts { system, few_shot, passages, question }
    }

    #[test]
    fn a_parts_share_of_the_text_is_its_share_of_the_tokens() {
        let mut tally = TokenTally::default();
        // 1,000 tokens: 10 % system, 20 % examples, 60 % passages, 10 % question.
        tally.add(&ticket(prompt(400, 800, 2400, 400), [1000, 100], [150_000, 60_000]));
        // 600 tokens: a third system, none, a half passages, a sixth question.
        tally.add(&ticket(prompt(20, 0, 30, 10), [600, 60], [90_000, 36_000]));
        let report = tally.finish().unwrap();
        let parts: Vec<_> = report.parts.iter().map(|part| (part.part, part.tokens, part.cost_nanousd.0)).collect();
        // 240,000 for 1,600 tokens is 150 a token.
        let expected = [
            ("system", 300, 45_000),
            ("few_shot", 200, 30_000),
            ("passages", 900, 135_000),
            ("question", 200, 30_000),
            ("answer", 160, 96_000),
        ];
        assert_eq!(parts, expected);
        assert_eq!(report.input_price_per_million_nanousd, Some(NanoUsd(150_000_000)));
        assert_eq!(report.parts[2].tokens_per_ticket, Some(450.0));
        assert_eq!(report.parts[2].share, Some(900.0 / 1760.0));
        assert_eq!(report.parts[2].cost_share, Some(135.0 / 336.0));

        let saved = |at: usize| {
            let saving = &report.savings[at];
            (saving.part, saving.kept_percent, saving.tokens, saving.cost_nanousd.0)
        };
        assert_eq!(saved(0), ("passages", 75, 225, 33_750));
        assert_eq!(saved(1), ("passages", 50, 450, 67_500));
        assert_eq!(saved(2), ("passages", 25, 675, 101_250));
        assert_eq!(saved(3), ("few_shot", 0, 200, 30_000));
        // Two tickets saved 450 tokens: a thousand would save 225,000.
        assert!((report.savings[1].tokens_per_thousand - 225_000.0).abs() < 1e-6);
        assert_eq!(report.savings[1].cost_per_thousand_nanousd, NanoUsd(33_750_000));
    }

    #[test]
    fn the_parts_sum_to_the_whole_whatever_the_shares_are() {
        let mut tally = TokenTally::default();
        for at in 1..500 {
            tally.add(&ticket(prompt(at, 7, at * 3 + 1, 11), [at * 5 % 97 + 1, 3], [at.cast_signed() * 13 + 1, 5]));
        }
        let report = tally.finish().unwrap();
        let sum = |parts: &[TokenPart]| parts.iter().map(|part| part.tokens).sum::<u64>();
        let cost = |parts: &[TokenPart]| parts.iter().map(|part| part.cost_nanousd).sum::<NanoUsd>();
        assert_eq!(sum(&report.parts[..4]), report.input_tokens);
        assert_eq!(cost(&report.parts[..4]), report.input_nanousd);
        assert_eq!(report.parts[4].cost_nanousd, report.output_nanousd);
    }

    #[test]
    fn a_small_part_of_many_prompts_does_not_round_away() {
        let mut tally = TokenTally::default();
        for _ in 0..1000 {
            // The question is a tenth of a token.
            tally.add(&ticket(prompt(0, 0, 99, 1), [10, 0], [10, 0]));
        }
        assert_eq!(tally.finish().unwrap().parts[3].tokens, 100);
    }

    #[test]
    fn tickets_of_which_nothing_is_known_are_left_out_and_counted() {
        let mut tally = TokenTally::default();
        tally.add(&ticket(None, [10, 10], [10, 10]));
        assert!(TokenTally { ..tally }.finish().is_none());

        let mut tally = TokenTally::default();
        tally.add(&ticket(prompt(1, 1, 1, 1), [0, 0], [0, 100]));
        tally.add(&ticket(prompt(1, 1, 1, 1), [4, 1], [0, 100]));
        tally.add(&ticket(prompt(0, 0, 0, 0), [4, 1], [4, 1]));
        tally.add(&TicketSpend { uncertain: NanoUsd(1), ..ticket(prompt(1, 1, 1, 1), [4, 1], [4, 1]) });
        tally.add(&ticket(prompt(1, 1, 1, 1), [4, 1], [0, 0]));
        let report = tally.finish().unwrap();
        assert_eq!((report.tickets, report.tickets_left_out, report.input_tokens), (1, 4, 4));
        // Models that cost nothing: the saving is known, and it is nothing.
        assert_eq!(report.savings[1].cost_nanousd, NanoUsd::ZERO);
        assert_eq!(report.savings[1].cost_share, None);
    }
}

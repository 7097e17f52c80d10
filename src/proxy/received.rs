use crate::providers::answer_tokens;

/// What of a streamed answer has arrived, and whether that is more than was paid for.
pub(super) struct Received {
    /// All of it, with the arguments of function calls.
    text: String,
    /// The answer alone.
    pub(super) answer: String,
    /// Tokens of the text, rather too high than too low; `None` before the first piece.
    pub(super) about: Option<u64>,
    limit: u64,
    /// No more tokens than the limit can have arrived with fewer bytes than this.
    next_count: usize,
}

impl Received {
    /// Nothing yet of an answer of at most `limit` tokens.
    pub(super) fn new(limit: u64) -> Self {
        Self { text: String::new(), answer: String::new(), about: None, limit, next_count: 0 }
    }

    /// Takes note of a piece. Returns whether what has arrived surely has more tokens than the limit.
    pub(super) fn add(&mut self, piece: &str, is_answer: bool, model: &str, vendor: Option<&str>) -> bool {
        self.text.push_str(piece);
        if is_answer {
            self.answer.push_str(piece);
        }
        self.about = Some((self.text.len() as u64).div_ceil(2));
        if self.text.len() < self.next_count {
            return false;
        }
        let (least, about) = answer_tokens(model, vendor, &self.text);
        self.about = Some(about);
        // A token stands for at least one byte.
        self.next_count =
            self.text.len().saturating_add(usize::try_from(self.limit.saturating_sub(least)).unwrap_or(usize::MAX));
        least > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds words of five letters and a space one by one; says after how many it is too much.
    fn cut_after(limit: u64, vendor: Option<&str>) -> Option<usize> {
        let mut received = Received::new(limit);
        (1..2_000).find(|_| received.add("house ", true, "gpt-4.1-mini", vendor))
    }

    #[test]
    fn a_stream_is_too_much_at_its_limit_by_the_vendors_tokenizer() {
        // " house" is one token; the text begins and ends within one.
        let cut = cut_after(100, Some("openai")).unwrap();
        assert!((100..=101).contains(&cut), "{cut}");
    }

    #[test]
    fn without_a_published_tokenizer_only_what_is_surely_too_much_is() {
        assert_eq!(cut_after(100, None), Some(101));
        assert_eq!(cut_after(u64::MAX, None), None);
    }
}

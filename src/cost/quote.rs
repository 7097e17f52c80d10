use crate::domain::{NanoUsd, Price};

/// A limit that nobody gave is lowered to what is affordable, but not below this: a shorter answer is none.
const LEAST_OUTPUT_TOKENS: u64 = 16;

/// How long an answer may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputCap {
    /// The caller's own limit, in tokens: it is kept as it is.
    Given(u64),
    /// The caller gave none: this one, or less where money is short.
    Default(u64),
}

impl OutputCap {
    /// The lowest limit that still is worth asking with.
    pub fn least(self) -> u64 {
        match self {
            Self::Given(tokens) => tokens,
            Self::Default(tokens) => tokens.min(LEAST_OUTPUT_TOKENS),
        }
    }

    fn most(self) -> u64 {
        match self {
            Self::Given(tokens) | Self::Default(tokens) => tokens,
        }
    }
}

/// What a call may consume, and at which price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// The price of its tokens.
    pub price: Price,
    /// A number of tokens that its prompt does not exceed.
    pub input_tokens: u64,
    /// How long its answer may get.
    pub output: OutputCap,
    /// What its request may still cost.
    pub ceiling: NanoUsd,
}

/// What a call was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Its worst case: what is held for it.
    pub amount: NanoUsd,
    /// The longest answer that this pays for, in tokens.
    pub output_tokens: u64,
}

impl Quote {
    /// The most that the call can cost with the longest answer, or what it is granted within `room`: worst case =
    /// prompt tokens × the dearest input rate + output limit × the dearest output rate.
    ///
    /// `None` when it does not fit. What costs nothing always fits.
    pub fn grant(&self, room: Option<NanoUsd>) -> Option<Grant> {
        let room = room.map_or(self.ceiling, |room| room.min(self.ceiling));
        let at = |output_tokens| {
            let amount = self.price.worst_case(self.input_tokens, output_tokens).ok()?;
            (amount <= room || amount == NanoUsd::ZERO).then_some(Grant { amount, output_tokens })
        };
        let (mut low, mut high) = (self.output.least(), self.output.most());
        if let Some(whole) = at(high) {
            return Some(whole);
        }
        let mut granted = at(low)?;
        // The worst case grows with the limit, so the highest affordable one can be closed in on.
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match at(middle) {
                Some(grant) => (granted, low) = (grant, middle),
                None => high = middle,
            }
        }
        Some(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Rate;

    /// 1 nano-dollar a prompt token, 2 a token of the answer.
    fn quote(output: OutputCap) -> Quote {
        let price = Price::new(Rate(1_000_000), Rate(2_000_000));
        Quote { price, input_tokens: 100, output, ceiling: NanoUsd(10_000) }
    }

    #[test]
    fn a_given_limit_is_granted_whole_or_not_at_all() {
        let quote = quote(OutputCap::Given(50));
        assert_eq!(quote.grant(None), Some(Grant { amount: NanoUsd(200), output_tokens: 50 }));
        assert_eq!(quote.grant(Some(NanoUsd(200))).map(|grant| grant.output_tokens), Some(50));
        assert_eq!(quote.grant(Some(NanoUsd(199))), None);
    }

    #[test]
    fn a_default_limit_is_lowered_to_what_is_affordable() {
        let quote = quote(OutputCap::Default(1_000));
        assert_eq!(quote.grant(None), Some(Grant { amount: NanoUsd(2_100), output_tokens: 1_000 }));
        assert_eq!(quote.grant(Some(NanoUsd(181))), Some(Grant { amount: NanoUsd(180), output_tokens: 40 }));
        assert_eq!(quote.grant(Some(NanoUsd(132))), Some(Grant { amount: NanoUsd(132), output_tokens: 16 }));
        assert_eq!(quote.grant(Some(NanoUsd(131))), None);
    }

    #[test]
    fn the_ceiling_counts_as_room_does_and_what_is_free_always_fits() {
        let short = Quote { ceiling: NanoUsd(150), ..quote(OutputCap::Default(1_000)) };
        assert_eq!(short.grant(None).map(|grant| grant.output_tokens), Some(25));
        let free = Quote { price: Price::new(Rate(0), Rate(0)), ..short };
        assert_eq!(free.grant(Some(NanoUsd(-5))).map(|grant| grant.output_tokens), Some(1_000));
        let absurd = Quote { input_tokens: u64::MAX, price: Price::new(Rate(u64::MAX), Rate(0)), ..short };
        assert_eq!(absurd.grant(None), None);
    }
}

use super::Interval;

/// Share of the capital that one bet may lose at most.
const STAKE: f64 = 0.5;
/// How near to the end where no bet is possible the null is taken, as a share of the bounds' width.
const NEAREST: f64 = 1e-6;

/// On which side of the null the truth is claimed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The mean is less than the null.
    Less,
    /// The mean is greater than the null.
    Greater,
}

/// A test of the mean of bounded values that may be looked at after every one of them, and ended at any time.
///
/// It bets against "the mean is not on this side of `null`". Were that so, the capital, which starts at 1, would grow
/// past 1/α with probability α at most, whenever one looks: a capital of 20 proves the claim at 5 %. Values must come
/// with the same mean given those before; they need not be independent or alike otherwise. Each bet is made before its
/// value is known (approximate GRAPA) and risks at most half of the capital.
///
/// Source: Waudby-Smith & Ramdas (2024), Estimating Means of Bounded Random Variables by Betting, §4 and appendix B.3.
#[derive(Debug, Clone, PartialEq)]
pub struct BettingTest {
    /// Within the bounds taken as 0..=1, and seen from the claimed side: the claim is that the mean is greater.
    null: f64,
    side: Side,
    bounds: Interval,
    count: u64,
    sum: f64,
    /// Of the deviations of each value from the mean up to it.
    squares: f64,
    log_capital: f64,
}

impl BettingTest {
    /// Claims that the mean of values within `bounds` is on the `side` of `null`.
    ///
    /// A null at or beyond the end away from the claim is moved a millionth of the width inside, which only makes the
    /// claim harder. Bounds without a width never give evidence.
    pub fn new(null: f64, side: Side, bounds: Interval) -> Self {
        let mut test = Self { null: 0.0, side, bounds, count: 0, sum: 0.0, squares: 0.0, log_capital: 0.0 };
        test.null = test.scaled(null).max(NEAREST);
        test
    }

    /// Takes the next value; one outside the bounds counts as the nearer bound, and one that is not a number not at all.
    pub fn observe(&mut self, value: f64) {
        let value = self.scaled(value).clamp(0.0, 1.0);
        if value.is_nan() || self.null.is_nan() {
            return;
        }
        self.log_capital += (self.bet() * (value - self.null)).ln_1p();
        self.count += 1;
        self.sum += value;
        self.squares += (value - self.mean()).powi(2);
    }

    /// The capital: evidence for the claim, 1 before the first value.
    pub fn e_value(&self) -> f64 {
        self.log_capital.exp()
    }

    /// Values taken.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The part of the capital to bet on the next value, for a deviation of 1.
    fn bet(&self) -> f64 {
        let above = self.mean() - self.null;
        let variance = (0.25 + self.squares) / (self.count as f64 + 1.0);
        (above / (variance + above * above)).clamp(0.0, STAKE / self.null)
    }

    /// The mean so far, as if there had been a value of 1/2 before the first.
    fn mean(&self) -> f64 {
        (0.5 + self.sum) / (self.count as f64 + 1.0)
    }

    /// `value` as a share of the way from the bound away from the claim to the other.
    fn scaled(&self, value: f64) -> f64 {
        let width = self.bounds.upper - self.bounds.lower;
        if width.is_nan() || width <= 0.0 {
            return f64::NAN;
        }
        match self.side {
            Side::Less => (self.bounds.upper - value) / width,
            Side::Greater => (value - self.bounds.lower) / width,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Resampling;

    const UNIT: Interval = Interval { lower: 0.0, upper: 1.0 };
    const EITHER: Interval = Interval { lower: -1.0, upper: 1.0 };

    fn e_values(null: f64, side: Side, bounds: Interval, values: &[f64]) -> Vec<f64> {
        let mut test = BettingTest::new(null, side, bounds);
        let observe = |value: &f64| {
            test.observe(*value);
            test.e_value()
        };
        values.iter().map(observe).collect()
    }

    // Expected numbers: the formulas of Waudby-Smith & Ramdas (2024), step by step in Python.

    #[test]
    fn evidence_is_that_of_the_formulas() {
        let values = [0.2, 0.9, 0.4, 0.0, 1.0, 0.3, 0.1, 0.05, 0.2, 0.0];
        let expected = [
            1.0,
            0.622_047_244_094_488_2,
            0.622_047_244_094_488_2,
            0.622_047_244_094_488_2,
            0.374_000_048_841_923_17,
            0.374_000_048_841_923_17,
            0.408_708_158_461_212_4,
            0.518_296_930_292_058_3,
            0.654_854_190_623_087_7,
            0.982_281_285_934_631_5,
        ];
        let found = e_values(0.5, Side::Less, UNIT, &values);
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        let found = e_values(0.5, Side::Greater, UNIT, &values);
        assert!((found[9] - 0.975_626_269_465_132_1).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn evidence_is_that_of_the_formulas_within_other_bounds() {
        let values = [-1.0, -0.5, -1.0, 0.0, -1.0, -1.0, 0.5, -1.0, -1.0, -1.0];
        let found = e_values(0.0, Side::Less, EITHER, &values);
        assert!((found[6] - 3.164_062_5).abs() < 1e-12 && (found[9] - 10.678_710_937_5).abs() < 1e-12, "{found:?}");
        let found = e_values(-0.02, Side::Greater, EITHER, &values);
        assert!((found[9] - 0.980_407_836_865_253_9).abs() < 1e-12, "{found:?}");
        let found = e_values(0.25, Side::Greater, UNIT, &[1.0; 10]);
        assert!(
            (found[2] - 6.043_956_043_956).abs() < 1e-9 && (found[9] - 740.546_957_262_9).abs() < 1e-9,
            "{found:?}"
        );
    }

    /// The share of 2,000 streams of 300 values that ever reach an e-value of 20.
    fn proven(null: f64, side: Side, draw: impl Fn(f64) -> f64) -> f64 {
        let mut random = Resampling { resamples: 1, seed: 5 }.random();
        let reaches = |_: &u32| {
            let mut test = BettingTest::new(null, side, EITHER);
            let mut uniform = || (random.coins() >> 11) as f64 / 2_f64.powi(53);
            (0..300).any(|_| {
                test.observe(draw(uniform()));
                test.e_value() >= 20.0
            })
        };
        (0..2_000).filter(reaches).count() as f64 / 2_000.0
    }

    #[test]
    fn looking_at_every_value_does_not_raise_false_alarms() {
        // At the null: a coin of ±1; rarely -1 and often a little more than 0; spread evenly. The standard error of a
        // share of 5 % in 2,000 is 0.5 %.
        let shapes: [fn(f64) -> f64; 3] =
            [|u| if u < 0.5 { -1.0 } else { 1.0 }, |u| if u < 0.1 { -0.9 } else { 0.1 }, |u| 2.0 * u - 1.0];
        for (number, shape) in shapes.into_iter().enumerate() {
            for side in [Side::Less, Side::Greater] {
                let share = proven(0.0, side, shape);
                assert!(share <= 0.06, "shape {number}, {side:?}: {share}");
            }
        }
    }

    #[test]
    fn an_effect_is_found() {
        // Three regress for one that improves, and six of ten stay: a mean of -0.2.
        let worse = |u: f64| if u < 0.3 { -1.0 } else { f64::from(u8::from(u > 0.9)) };
        let (found, opposite) = (proven(0.0, Side::Less, worse), proven(0.0, Side::Greater, worse));
        assert!(found > 0.8 && opposite < 0.02, "{found} {opposite}");
    }

    #[test]
    fn values_and_bounds_out_of_order_prove_nothing() {
        let point = Interval { lower: 1.0, upper: 1.0 };
        assert_eq!(e_values(0.5, Side::Less, point, &[1.0; 5]), [1.0; 5]);
        let mut test = BettingTest::new(0.0, Side::Greater, EITHER);
        test.observe(f64::NAN);
        assert_eq!((test.e_value(), test.count()), (1.0, 0));
        // Beyond the bound is at the bound.
        assert_eq!(e_values(0.0, Side::Greater, EITHER, &[7.0; 4]), e_values(0.0, Side::Greater, EITHER, &[1.0; 4]));
        // A null beyond every value is never left behind, and capital is never negative.
        let hopeless = e_values(2.0, Side::Greater, EITHER, &[1.0; 50]);
        assert!(hopeless.iter().all(|e| (0.0..=1.0).contains(e)), "{hopeless:?}");
        let sure = e_values(-2.0, Side::Greater, EITHER, &[0.5; 10]);
        assert!(sure.iter().all(|e| e.is_finite()) && sure[9] > 20.0, "{sure:?}");
    }
}

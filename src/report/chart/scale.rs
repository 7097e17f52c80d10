use super::drawable;

/// The smallest interval that holds all drawable `values` and `range`; never empty.
pub(super) fn extent(values: impl IntoIterator<Item = f64>, range: Option<(f64, f64)>) -> (f64, f64) {
    let (low, high) = values
        .into_iter()
        .chain(range.into_iter().flat_map(|(low, high)| [low, high]))
        .filter_map(|value| drawable(Some(value)))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low < high {
        (low, high)
    } else if low.is_finite() {
        (low, low + 1.0)
    } else {
        (0.0, 1.0)
    }
}

/// Maps values between two ends to pixels between two ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// `values` (low, high; not equal) onto `pixels` (from, to; may run downwards).
    pub(super) fn new(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Self { low: values.0, high: values.1, from: pixels.0, to: pixels.1 }
    }

    /// Where `value` stands; values outside are held at the ends.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }

    /// Round values between the ends, about `wanted` of them, and the decimals to show them with.
    ///
    /// Source: the steps 1, 2 and 5 times a power of ten of Heckbert (1990), Nice Numbers for Graph Labels.
    pub(super) fn ticks(&self, wanted: usize) -> (Vec<f64>, usize) {
        let rough = (self.high - self.low) / wanted.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= rough * 0.999).unwrap_or(10.0);
        let decimals = (-(step * 1.001).log10().floor()).clamp(0.0, 12.0) as usize;
        let first = (self.low / step - 1e-9).ceil();
        let count = ((self.high / step + 1e-9).floor() - first).clamp(0.0, 100.0) as usize;
        ((0..=count).map(|at| (first + at as f64) * step).collect(), decimals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(low: f64, high: f64) -> Vec<String> {
        let (ticks, decimals) = Scale::new((low, high), (0.0, 1.0)).ticks(5);
        ticks.iter().map(|tick| format!("{tick:.decimals$}")).collect()
    }

    #[test]
    fn ticks_are_round_and_within_the_ends() {
        assert_eq!(shown(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(shown(0.0, 1234.0), ["0", "500", "1000"]);
        assert_eq!(shown(-0.03, 0.05), ["-0.02", "0.00", "0.02", "0.04"]);
        assert_eq!(shown(0.0, 1e15).len(), 6);
    }

    #[test]
    fn an_extent_is_never_empty() {
        assert_eq!(extent([], None), (0.0, 1.0));
        assert_eq!(extent([3.0, f64::NAN, f64::INFINITY], None), (3.0, 4.0));
        assert_eq!(extent([0.2], Some((0.0, 1.0))), (0.0, 1.0));
    }

    #[test]
    fn values_outside_are_held_at_the_ends() {
        let scale = Scale::new((0.0, 2.0), (100.0, 0.0));
        let placed = [1.0, 9.0, -1.0].map(|value| format!("{:.1}", scale.at(value)));
        assert_eq!(placed, ["50.0", "0.0", "100.0"]);
    }
}

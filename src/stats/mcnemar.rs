use statrs::distribution::{Binomial, Discrete, DiscreteCDF};

/// What McNemar's test found, as p-values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Two-sided, exact: never too small, but often too great.
    pub exact_p: f64,
    /// Two-sided, counting half of the probability of what was observed.
    pub mid_p: f64,
    /// One-sided mid-p: that more regress than improve.
    pub regressed_mid_p: f64,
}

/// McNemar's test of pairs that passed on one side only: `regressed` before, `improved` after.
///
/// Pairs that agree say nothing about a difference. Without any that differ, the two-sided p-values are 1 and the
/// one-sided one is 1/2.
///
/// Source: Fagerland, Lydersen & Laake (2013), The McNemar test for binary matched-pairs data: mid-p and asymptotic are
/// better than exact conditional.
pub fn mcnemar(regressed: u64, improved: u64) -> McNemar {
    let none = McNemar { exact_p: 1.0, mid_p: 1.0, regressed_mid_p: 0.5 };
    let count = regressed.saturating_add(improved);
    let Some(coins) = Binomial::new(0.5, count).ok().filter(|_| count > 0) else { return none };
    let fewer = regressed.min(improved);
    let observed = coins.pmf(fewer);
    let regressed_mid_p = coins.sf(regressed) + 0.5 * observed;
    if regressed == improved {
        return McNemar { mid_p: 1.0 - 0.5 * observed, regressed_mid_p, ..none };
    }
    let exact_p = (2.0 * coins.cdf(fewer)).min(1.0);
    McNemar { exact_p, mid_p: exact_p - observed, regressed_mid_p }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p_values_are_those_of_fagerland_and_of_statsmodels() {
        // 1 against 7 (Bentur et al. 2009) and 6 against 16 (Cavo et al. 2012) are the examples of Fagerland et al.:
        // exact .070 and mid-p .039; .052 and .035. exact: statsmodels 0.15.0 mcnemar(exact=True); mid-p: that minus
        // scipy 1.17.1 binom.pmf; one-sided: binom.sf + binom.pmf / 2.
        let cases = [
            (1, 7, 0.070_312_5, 0.039_062_5, 0.980_468_75),
            (7, 1, 0.070_312_5, 0.039_062_5, 0.019_531_25),
            (6, 16, 0.052_478_790_283_203_125, 0.034_689_664_840_698_24, 0.982_655_167_579_650_9),
            (5, 5, 1.0, 0.876_953_125, 0.5),
            (0, 0, 1.0, 1.0, 0.5),
            (0, 3, 0.25, 0.125, 0.937_5),
            (40, 22, 0.030_015_864_349_067_285, 0.022_574_972_673_257_195, 0.011_287_486_336_628_585),
            (510, 440, 0.025_126_995_312_133_443, 0.023_163_151_240_338_98, 0.011_581_575_620_169_513),
            (5200, 4900, 0.002_926_506_228_023_293, 0.002_834_312_742_143_670_6, 0.001_417_156_371_071_804_3),
        ];
        for (regressed, improved, exact, mid, one_sided) in cases {
            let found = mcnemar(regressed, improved);
            assert!((found.exact_p - exact).abs() < 1e-9, "{regressed} {improved} {found:?}");
            assert!((found.mid_p - mid).abs() < 1e-9, "{regressed} {improved} {found:?}");
            assert!((found.regressed_mid_p - one_sided).abs() < 1e-9, "{regressed} {improved} {found:?}");
        }
    }
}

//! Vectors of bytes instead of floats: a quarter of the memory to hold and to walk through.
//!
//! `value ≈ scale · byte`, with one scale for each vector. Symmetric (0 stays 0, bytes are −127..=127), so that a product
//! of two vectors needs no correction.

/// Appends the bytes of `vector` to `bytes` and returns their scale; 0 when every value is 0.
pub(super) fn quantize(vector: &[f32], bytes: &mut Vec<i8>) -> f32 {
    let largest = vector.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let scale = largest / 127.0;
    let per_value = if scale > 0.0 { scale.recip() } else { 0.0 };
    // A cast truncates and saturates; unlike `round`, adding a half of the same sign compiles to vector instructions.
    bytes.extend(vector.iter().map(|value| (value * per_value + 0.5_f32.copysign(*value)) as i8));
    scale
}

/// The product of a quantized vector and a query's bytes, in units of both their scales.
///
/// The query is widened once, which leaves half of the conversions to do for each vector. Exact: 127² · 2^17 dimensions
/// still fit.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is compiled anew for each kind of processor that its caller is")]
pub(super) fn product(vector: &[i8], query: &[i16]) -> i32 {
    vector.iter().zip(query).map(|(one, other)| i32::from(*one) * i32::from(*other)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_half_a_step() {
        let vector: Vec<f32> = (0..384_u16).map(|n| f32::from(n * 79 % 1000) / 500.0 - 1.0).collect();
        let mut bytes = Vec::new();
        let scale = quantize(&vector, &mut bytes);
        assert_eq!(bytes.iter().map(|byte| byte.unsigned_abs()).max(), Some(127));
        for (value, byte) in vector.iter().zip(&bytes) {
            assert!((value - scale * f32::from(*byte)).abs() <= scale * 0.501, "{value} {byte} {scale}");
        }
    }

    #[test]
    fn a_vector_of_zeros_stays_one() {
        let mut bytes = Vec::new();
        let scale = quantize(&[0.0; 5], &mut bytes);
        assert_eq!((bytes, scale), (vec![0; 5], 0.0));
    }

    #[test]
    fn a_product_is_that_of_the_numbers_at_every_length() {
        for length in [0, 1, 7, 31, 384, 1536] {
            let one = vec![-127_i8; length];
            let other = vec![127_i16; length];
            assert_eq!(product(&one, &other), -16_129 * i32::try_from(length).unwrap());
        }
        assert_eq!(product(&[1, -2, 3], &[4, 5, -6]), -24);
    }
}

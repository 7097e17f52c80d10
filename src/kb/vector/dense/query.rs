use super::{DenseError, quantize};

/// A query's vector, ready to be compared with others.
pub(super) struct Query {
    /// Of length 1.
    pub(super) unit: Vec<f32>,
    /// Quantized, and widened for the scan.
    pub(super) bytes: Vec<i16>,
}

impl Query {
    pub(super) fn new(vector: &[f32], dimensions: usize) -> Result<Self, DenseError> {
        if vector.len() != dimensions {
            return Err(DenseError::QueryLength { expected: dimensions, found: vector.len() });
        }
        let unit = unit(vector).ok_or(DenseError::NoDirection)?;
        let mut bytes = Vec::with_capacity(unit.len());
        quantize::quantize(&unit, &mut bytes);
        Ok(Self { unit, bytes: bytes.into_iter().map(i16::from).collect() })
    }
}

/// The vector of length 1 in the same direction; `None` when there is no direction.
pub(super) fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let norm = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let usable = norm.is_finite() && norm > 0.0;
    usable.then(|| vector.iter().map(|value| (f64::from(*value) / norm) as f32).collect())
}

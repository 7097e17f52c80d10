/// Why dense vectors could not be read or searched.
#[derive(Debug, thiserror::Error)]
pub enum DenseError {
    /// There are none.
    #[error("there are no dense vectors yet")]
    Missing,
    /// The file is cut short, changed, or something else: it is made anew from the store.
    #[error("the file of dense vectors is damaged: {reason}")]
    Damaged {
        /// What is wrong with it.
        reason: String,
    },
    /// The query's vector is of another length than the chunks': another model made it.
    #[error("the query's vector has {found} dimensions, those of the chunks have {expected}")]
    QueryLength {
        /// Dimensions of the chunks' vectors.
        expected: usize,
        /// Dimensions of the query's vector.
        found: usize,
    },
    /// The query's vector is all zeros, or holds something that is not a number.
    #[error("the query's vector has no direction")]
    NoDirection,
    /// A read failed.
    #[error("the dense vectors cannot be read: {0}")]
    Read(#[from] std::io::Error),
}

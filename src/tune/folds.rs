use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;

/// Which fold (from 0) each of `clusters` clusters belongs to: folds differ in size by one cluster at most.
///
/// Whole clusters are kept together, because cases of one cluster tell about each other. There are at most as many folds
/// as clusters; `None` below two of either.
pub(super) fn folds(clusters: usize, folds: u32, seed: u64) -> Option<Vec<usize>> {
    let folds = usize::try_from(folds).ok()?.min(clusters);
    if folds < 2 {
        return None;
    }
    let mut order: Vec<usize> = (0..clusters).map(|place| place % folds).collect();
    order.shuffle(&mut ChaCha12Rng::seed_from_u64(seed));
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_of_equal_size_and_repeat_for_a_seed() {
        let found = folds(23, 5, 7).unwrap();
        let sizes = [0, 1, 2, 3, 4].map(|fold| found.iter().filter(|other| **other == fold).count());
        assert_eq!(sizes, [5, 5, 5, 4, 4]);
        assert_eq!(found, folds(23, 5, 7).unwrap());
        assert_ne!(found, folds(23, 5, 8).unwrap());
    }

    #[test]
    fn there_are_no_more_folds_than_clusters_and_no_fewer_than_two() {
        assert_eq!(folds(3, 5, 0).unwrap().len(), 3);
        assert_eq!(folds(3, 5, 0).unwrap().iter().max(), Some(&2));
        assert_eq!((folds(1, 5, 0), folds(9, 1, 0)), (None, None));
    }
}

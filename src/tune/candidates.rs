use super::cascade::{Cascade, Keep};

/// Most thresholds that a curve has.
const MOST: usize = 50;

/// The thresholds worth trying, ascending, at most 50: the stated confidences from the refusal limit on, that limit, 1, and
/// `present`, where it is not below the limit. Of more confidences than that, every n-th.
pub(super) fn thresholds(cascade: &Cascade, present: f64) -> Vec<f64> {
    let lowest = cascade.refuse_below;
    let stated = cascade.questions.iter().filter_map(|question| match question.keep {
        Keep::UpTo(confidence) => Some(confidence),
        Keep::Always | Keep::Never => None,
    });
    let mut stated: Vec<f64> = stated.filter(|confidence| *confidence > lowest && *confidence < 1.0).collect();
    sort(&mut stated);
    let kept = thinned(&stated, MOST - 3);
    let mut all: Vec<f64> =
        kept.into_iter().chain([lowest, 1.0]).chain((present >= lowest).then_some(present)).collect();
    sort(&mut all);
    all
}

fn sort(values: &mut Vec<f64>) {
    values.sort_by(f64::total_cmp);
    values.dedup();
}

/// At most `most` of `values`, evenly spread over their places, the first and the last among them.
pub(super) fn thinned<T: Clone>(values: &[T], most: usize) -> Vec<T> {
    if values.len() <= most {
        return values.to_vec();
    }
    let place = |step: usize| (step * (values.len() - 1) + (most - 1) / 2) / (most - 1);
    (0..most).filter_map(|step| values.get(place(step)).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cascade::tests::{cascade, four, question};
    use super::*;

    #[test]
    fn thresholds_are_the_stated_confidences_between_refusal_limit_and_one() {
        assert_eq!(thresholds(&four(), 0.7), [0.2, 0.3, 0.6, 0.7, 0.9, 1.0]);
        assert_eq!(thresholds(&four(), 0.1), [0.2, 0.3, 0.6, 0.9, 1.0]);
        let low = cascade(vec![question(0, Keep::UpTo(0.1), (0.0, 1, 1.0), (0.0, 1, 1.0))]);
        assert_eq!(thresholds(&low, 0.2), [0.2, 1.0]);
    }

    #[test]
    fn many_confidences_are_thinned_evenly() {
        let questions = (0..999).map(|number| {
            let confidence = (number as f64 + 1.0) / 1000.0;
            question(number, Keep::UpTo(confidence), (0.0, 1, 1.0), (0.0, 1, 1.0))
        });
        let found = thresholds(&cascade(questions.collect()), 0.6005);
        assert_eq!((found.len(), found[0], found[1], *found.last().unwrap()), (50, 0.2, 0.201, 1.0));
        let gaps = found.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.fold(0.0, f64::max) < 0.02);
        assert_eq!(thinned(&[1, 2, 3, 4, 5], 3), [1, 3, 5]);
    }
}

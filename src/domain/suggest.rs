/// The known name nearest to a mistyped one, or `None` when nothing is near enough to suggest.
///
/// Nearness is Damerau–Levenshtein distance, at most a third of the name's length (at least one).
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(nearest("tokne_f1", ["exact", "token_f1"]), Some("token_f1"));
        assert_eq!(nearest("banana", ["exact", "token_f1"]), None);
    }
}

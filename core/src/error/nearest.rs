//! "Did you mean": the known name that is nearest to one that is not known.

/// The candidate nearest to `wanted`, when it is near enough to be what was meant: at most a third of its letters away.
pub(crate) fn nearest<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (wanted.len().max(3)) / 3;
    candidates
        .into_iter()
        .map(|candidate| (distance(wanted.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Damerau-Levenshtein distance in its restricted form: insert, delete, replace, swap neighbours.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(!x.eq_ignore_ascii_case(y));
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name() {
        let names = ["hello", "div", "save_object"];
        assert_eq!(nearest("helo", names), Some("hello"));
        assert_eq!(nearest("hlelo", names), Some("hello"));
        assert_eq!(nearest("saveobject", names), Some("save_object"));
        assert_eq!(nearest("HELLO", names), Some("hello"));
    }

    #[test]
    fn a_name_that_is_far_from_all_finds_none() {
        assert_eq!(nearest("shutdown", ["hello", "div"]), None);
        assert_eq!(nearest("", ["hello"]), None);
    }
}

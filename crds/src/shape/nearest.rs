//! The known name that somebody probably meant.

/// The candidate that is at most a third of its length away from `name`, letter case aside; the first in order of
/// distance.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody meant a name that long, and the distance costs the product of both lengths.
    if name.len() > 64 {
        return None;
    }
    candidates
        .map(|candidate| (distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.len().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be added, removed or replaced to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_understood() {
        let known = ["credentials", "models", "baseURL", "timeouts"];
        for (typed, meant) in
            [("credential", "credentials"), ("baseUrl", "baseURL"), ("timeout", "timeouts"), ("modles", "models")]
        {
            assert_eq!(nearest(typed, known.into_iter()), Some(meant), "{typed}");
        }
    }

    #[test]
    fn something_else_altogether_is_not_guessed_at() {
        assert_eq!(nearest("replicas", ["credentials", "models"].into_iter()), None);
        assert_eq!(nearest("x", ["per"].into_iter()), None);
        assert_eq!(nearest(&"models".repeat(100), ["models"].into_iter()), None);
    }
}

//! In which order targets are asked: by priority, and within one as the route says.

use std::sync::Arc;

use penstock_crds::Balance;
use penstock_llm::{
    call::{Call, Operation},
    estimate::Estimate,
    scan::Scan,
};
use tokio::time::Instant;

use crate::{
    limits::Amounts,
    live::route::{Forward, Target},
};

/// The targets in the order in which a request asks them. `random` gives numbers between 0 and 1.
pub(super) fn order<'a>(
    forward: &'a Forward,
    call: &Call,
    scan: &Scan,
    now: Instant,
    mut random: impl FnMut() -> f64,
) -> Vec<&'a Arc<Target>> {
    let mut order: Vec<_> = forward.targets.iter().collect();
    for group in order.chunk_by_mut(|one, other| one.priority == other.priority).filter(|group| group.len() > 1) {
        match forward.balance {
            Balance::Weighted => by_weight(group, &mut random),
            Balance::LeastLatency => by_choice(group, |target| target.seat.latency(now), &mut random),
            Balance::LeastBusy => {
                shuffle(group, &mut random);
                group.sort_by_key(|target| target.seat.in_flight());
            }
            Balance::LowestCost => {
                // Between two that cost the same, weights decide. What nobody knows the price of comes last.
                by_weight(group, &mut random);
                group.sort_by_cached_key(|target| cost(target, forward, call, scan).unwrap_or(u64::MAX));
            }
        }
    }
    order
}

/// What the request will probably take: the most that one of the targets does that come first. What has no price known costs
/// nothing here.
pub(super) fn estimate(forward: &Forward, call: &Call, scan: &Scan) -> Amounts<u64> {
    let first = forward.targets.first().map(|target| target.priority);
    let targets = forward.targets.iter().take_while(|target| Some(target.priority) == first);
    let each = targets.map(|target| estimate_at(target, forward, call, scan));
    each.fold(Amounts::default(), |most, target| most.zip(target).map(|(most, target)| most.max(target)))
}

/// The same of one target.
pub(super) fn estimate_at(target: &Target, forward: &Forward, call: &Call, scan: &Scan) -> Amounts<u64> {
    let Some(estimate) = expected(target, forward, call, scan) else {
        return Amounts { requests: 1, ..Amounts::default() };
    };
    let cost = target.price.as_ref().and_then(|price| estimate.cost(price)).unwrap_or(0);
    Amounts { requests: 1, tokens: estimate.input.saturating_add(estimate.output), cost }
}

/// What the request will probably cost there, in picodollars; none where its price is not known. For limits, bounds and the
/// choice among targets alike.
pub(super) fn cost(target: &Target, forward: &Forward, call: &Call, scan: &Scan) -> Option<u64> {
    match expected(target, forward, call, scan) {
        Some(estimate) => estimate.cost(target.price.as_ref()?),
        None => Some(0),
    }
}

/// The tokens that it will probably take there; none where nothing is paid for, not even the prompt.
fn expected(target: &Target, forward: &Forward, call: &Call, scan: &Scan) -> Option<Estimate> {
    let output = match call.operation {
        Operation::Chat | Operation::Completions => forward.expected_output,
        Operation::Embeddings | Operation::BatchEmbeddings => 0,
        Operation::CountTokens => return None,
    };
    Some(Estimate::of(scan, &target.facts, output))
}

/// Each place is drawn by weight from those that are left.
fn by_weight(group: &mut [&Arc<Target>], random: &mut impl FnMut() -> f64) {
    for place in 0..group.len() {
        let drawn = draw(group[place..].iter().map(|target| target.weight), random());
        group[place..=place + drawn].rotate_right(1);
    }
}

/// Each place goes to the better of two that are picked at random: the best of all would get everyone's requests at once.
fn by_choice<T>(group: &mut [T], cost: impl Fn(&T) -> f64, random: &mut impl FnMut() -> f64) {
    for place in 0..group.len() {
        let left = &mut group[place..];
        let (one, other) = two(left.len(), random);
        let better = if cost(&left[other]) < cost(&left[one]) { other } else { one };
        left[..=better].rotate_right(1);
    }
}

/// Two different places, where there are two.
fn two(count: usize, random: &mut impl FnMut() -> f64) -> (usize, usize) {
    let pick = |count: usize, random: f64| ((random * count as f64) as usize).min(count.saturating_sub(1));
    let one = pick(count, random());
    if count < 2 {
        return (one, one);
    }
    (one, (one + 1 + pick(count - 1, random())) % count)
}

fn shuffle<T>(group: &mut [T], random: &mut impl FnMut() -> f64) {
    for place in 0..group.len() {
        let other = place + ((random() * (group.len() - place) as f64) as usize).min(group.len() - place - 1);
        group.swap(place, other);
    }
}

/// The index that a number between 0 and 1 draws from weights. Without any weight, the first.
fn draw(weights: impl Iterator<Item = u32> + Clone, random: f64) -> usize {
    let total: f64 = weights.clone().map(f64::from).sum();
    let mut left = random * total;
    let drawn = weights.into_iter().position(|weight| {
        left -= f64::from(weight);
        left < 0.0
    });
    drawn.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same numbers over and over.
    fn chance(numbers: &'static [f64]) -> impl FnMut() -> f64 {
        let mut numbers = numbers.iter().cycle();
        move || *numbers.next().expect("must be a number")
    }

    #[test]
    fn targets_are_drawn_by_weight() {
        let drawn = |random| draw([80, 20].into_iter(), random);
        assert_eq!([drawn(0.0), drawn(0.79), drawn(0.81), drawn(0.99)], [0, 0, 1, 1]);
        assert_eq!(draw([0, 5].into_iter(), 0.0), 1, "no weight, no turn");
        assert_eq!(draw([0, 0].into_iter(), 0.5), 0);
    }

    #[test]
    fn the_better_of_two_comes_first_and_not_always_the_best() {
        let mut order = ["fast", "slow", "slower"];
        let cost = |name: &&str| name.len() as f64;
        by_choice(&mut order, cost, &mut chance(&[0.5, 0.0]));
        assert_eq!(order, ["slow", "fast", "slower"], "the fastest was not among the two");
        by_choice(&mut order, cost, &mut chance(&[0.0, 0.0]));
        assert_eq!(order[0], "slow");
        by_choice(&mut order, cost, &mut chance(&[0.0, 0.99]));
        assert_eq!(order, ["slow", "fast", "slower"]);
    }

    #[test]
    fn two_that_are_picked_are_never_the_same() {
        for one in [0.0, 0.3, 0.6, 0.999] {
            for other in [0.0, 0.3, 0.6, 0.999] {
                let (one, other) = two(3, &mut chance(Box::leak(Box::new([one, other]))));
                assert!(one != other && one < 3 && other < 3);
            }
        }
    }

    #[test]
    fn a_shuffle_loses_nobody() {
        let mut group = [1, 2, 3, 4];
        shuffle(&mut group, &mut chance(&[0.9, 0.1, 0.999, 0.0]));
        let mut sorted = group;
        sorted.sort_unstable();
        assert_eq!(sorted, [1, 2, 3, 4]);
    }
}

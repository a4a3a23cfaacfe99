use crate::facts::Thinking;
use crate::neutral::Reasoning;
use crate::translate::Dropped;

/// How much a model of OpenAI's is asked to reason for a client of another dialect. Words that only the newest models
/// know become the nearest that all know; a model of which it is not known that it reasons is not asked.
pub(super) fn asked<'r>(
    asked: Option<&'r Reasoning<'_>>,
    thinking: Thinking,
    dropped: &mut Dropped,
) -> Option<Reasoning<'r>> {
    let effort = match asked? {
        Reasoning::Adaptive => return None,
        Reasoning::Off if thinking != Thinking::Effort => return None,
        _ if thinking != Thinking::Effort => {
            dropped.add("thinking");
            return None;
        }
        Reasoning::Off => "low",
        Reasoning::Budget(tokens) => of_budget(*tokens),
        Reasoning::Effort(word) => match &**word {
            "xhigh" | "max" => "high",
            word => word,
        },
    };
    Some(Reasoning::Effort(effort.into()))
}

/// The effort that comes nearest to a budget of tokens.
pub(crate) fn of_budget(tokens: u64) -> &'static str {
    match tokens {
        0..=2048 => "low",
        2049..=8192 => "medium",
        _ => "high",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_and_efforts_of_others_are_the_efforts_that_every_reasoning_model_knows() {
        let rows = [
            (Reasoning::Budget(1024), Some("low")),
            (Reasoning::Budget(8192), Some("medium")),
            (Reasoning::Budget(32_000), Some("high")),
            (Reasoning::Effort("max".into()), Some("high")),
            (Reasoning::Effort("medium".into()), Some("medium")),
            (Reasoning::Off, Some("low")),
            (Reasoning::Adaptive, None),
        ];
        for (said, expected) in rows {
            let expected = expected.map(|word| Reasoning::Effort(word.into()));
            assert_eq!(asked(Some(&said), Thinking::Effort, &mut Dropped::default()), expected, "{said:?}");
        }
    }

    #[test]
    fn a_model_that_does_not_reason_is_not_asked_and_it_is_said() {
        for (said, names) in [(Reasoning::Budget(1024), &["thinking"][..]), (Reasoning::Off, &[])] {
            let mut dropped = Dropped::default();
            assert_eq!(asked(Some(&said), Thinking::None, &mut dropped), None);
            assert_eq!(dropped.names(), names);
        }
    }
}

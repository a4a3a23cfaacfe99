/// A line of the built-in list; 0 stands for unknown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    provider: &'static str,
    model: &'static str,
    pub(super) context_window: u32,
    pub(super) max_output: u32,
    pub(super) reasons: bool,
    /// Where its prices stand among those of [`crate::price`].
    pub(crate) price: u16,
}

/// Sorted by provider and model.
static ROWS: &[Row] = include!(concat!(env!("OUT_DIR"), "/models.rs"));

/// The line of a model: of its own name, of its alias, or of its dated name where only that is listed.
pub(crate) fn find(provider: &str, model: &str) -> Option<&'static Row> {
    exact(provider, model)
        .or_else(|| exact(provider, alias(model)?))
        .or_else(|| dated(provider, alias(model).unwrap_or(model)))
}

fn exact(provider: &str, model: &str) -> Option<&'static Row> {
    let found = ROWS.binary_search_by(|row| (row.provider, row.model).cmp(&(provider, model)));
    found.ok().and_then(|at| ROWS.get(at))
}

fn dated(provider: &str, model: &str) -> Option<&'static Row> {
    let from = ROWS.partition_point(|row| (row.provider, row.model) <= (provider, model));
    let near = ROWS.get(from..)?.iter().take_while(|row| row.provider == provider && row.model.starts_with(model));
    near.into_iter().find(|row| alias(row.model) == Some(model))
}

/// A model's name without the date or the `latest` at its end; `None` if it has neither.
pub fn alias(model: &str) -> Option<&str> {
    if let Some(alias) = model.strip_suffix("-latest") {
        return Some(alias);
    }
    // -20250514, @20250514, -2024-08-06
    let shapes: [&[u8]; 3] = [b"-00000000", b"@00000000", b"-0000-00-00"];
    let fits = |tail: &[u8], shape: &[u8]| {
        tail.iter().zip(shape).all(|(byte, like)| if *like == b'0' { byte.is_ascii_digit() } else { byte == like })
    };
    shapes.iter().find_map(|shape| {
        let at = model.len().checked_sub(shape.len()).filter(|at| *at > 0)?;
        fits(&model.as_bytes()[at..], shape).then(|| &model[..at])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_row_is_reachable_by_its_own_name() {
        assert!(ROWS.windows(2).all(|pair| (pair[0].provider, pair[0].model) < (pair[1].provider, pair[1].model)));
        for row in ROWS {
            let found = find(row.provider, row.model).expect("must be found");
            assert!(std::ptr::eq(found, row), "{} {}", row.provider, row.model);
        }
    }

    #[test]
    fn every_line_of_the_data_is_a_row() {
        let data = include_str!("../../data/model-prices.jsonl");
        assert_eq!(ROWS.len(), data.lines().count());
        for line in data.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("must be JSON");
            let text = |key: &str| line[key].as_str().expect("must be text");
            let row = find(text("provider"), text("model")).expect("must be found");
            let limits = (u64::from(row.context_window), u64::from(row.max_output));
            let listed = |key: &str| line[key].as_u64().unwrap_or(0);
            assert_eq!(limits, (listed("contextWindow"), listed("maxOutputTokens")), "{line}");
        }
    }

    #[test]
    fn an_alias_is_a_name_without_its_date() {
        let rows = [
            ("claude-sonnet-4-20250514", Some("claude-sonnet-4")),
            ("claude-sonnet-4@20250514", Some("claude-sonnet-4")),
            ("gpt-4o-2024-08-06", Some("gpt-4o")),
            ("mistral-large-latest", Some("mistral-large")),
            ("gpt-4o", None),
            ("gpt-4-0613", None),
            ("-20250514", None),
            ("modèle-2025051é", None),
        ];
        for (name, expected) in rows {
            assert_eq!(alias(name), expected, "{name}");
        }
    }
}

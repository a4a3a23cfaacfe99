use super::Span;

/// Values in the messages of OpenAI's dialect that not every server takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spots {
    /// `messages[].name`
    pub(crate) names: Vec<Span>,
    /// `messages[].role` that is `developer`
    pub(crate) developers: Vec<Span>,
    /// What ids of calls carry for Gemini, without the quote behind it.
    pub(crate) signatures: Vec<Span>,
}

impl Spots {
    /// Looks at a member's string, as it stands in the body. `depth` counts the objects and arrays around it.
    pub(super) fn look(&mut self, key: &str, depth: u8, at: usize, value: &str) {
        if !value.starts_with('"') {
            return;
        }
        let span = Span { start: at, end: at + value.len() };
        match (key, depth) {
            ("name", 3) => self.names.push(span),
            ("role", 3) if value == r#""developer""# => self.developers.push(span),
            // Of a result, and of a call.
            ("tool_call_id", 3) | ("id", 5) => {
                let carried = crate::gemini::carried_by(value);
                self.signatures.extend(carried.map(|from| Span { start: at + from, end: span.end - 1 }));
            }
            _ => {}
        }
    }
}

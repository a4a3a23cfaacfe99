//! What providers of three dialects stream, and where they say what it took.

/// Tokens of every prompt, as it is reported.
pub(crate) const INPUT: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    OpenAI,
    Anthropic,
    Gemini,
}

impl Vendor {
    pub(crate) const ALL: [Self; 3] = [Self::OpenAI, Self::Anthropic, Self::Gemini];

    /// What comes before the first word.
    pub(crate) fn begins(self, reports: bool) -> Vec<String> {
        match self {
            Self::OpenAI => vec![crate::provider::ROLE.to_owned()],
            Self::Anthropic => {
                let usage = if reports { r#","usage":{"input_tokens":5,"output_tokens":1}"# } else { "" };
                [
                    format!(
                        r#"{{"type":"message_start","message":{{"id":"msg_1","type":"message","role":"assistant","model":"real","content":[],"stop_reason":null{usage}}}}}"#
                    ),
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned(),
                ]
                .map(|data| event(&data))
                .into()
            }
            Self::Gemini => Vec::new(),
        }
    }

    pub(crate) fn says(self, text: &str, reports: bool) -> String {
        match self {
            Self::OpenAI => crate::provider::text(text),
            Self::Anthropic => event(&format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
            )),
            Self::Gemini => {
                let usage = if reports { r#","usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}"# } else { "" };
                data(&format!(
                    r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"index":0}}]{usage}}}"#
                ))
            }
        }
    }

    /// The end, with a report of so many tokens.
    pub(crate) fn ends(self, output: Option<usize>) -> Vec<String> {
        match self {
            Self::OpenAI => {
                let usage = |n| {
                    data(&format!(
                        r#"{{"id":"c1","choices":[],"usage":{{"prompt_tokens":5,"completion_tokens":{n}}}}}"#
                    ))
                };
                let (stop, done) = (crate::provider::STOP.to_owned(), crate::provider::DONE.to_owned());
                [Some(stop), output.map(usage), Some(done)].into_iter().flatten().collect()
            }
            Self::Anthropic => {
                let usage = output.map(|n| format!(r#","usage":{{"output_tokens":{n}}}"#)).unwrap_or_default();
                [
                    r#"{"type":"content_block_stop","index":0}"#.to_owned(),
                    format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}}{usage}}}"#),
                    r#"{"type":"message_stop"}"#.to_owned(),
                ]
                .map(|data| event(&data))
                .into()
            }
            Self::Gemini => {
                let usage = |n| format!(r#","usageMetadata":{{"promptTokenCount":5,"candidatesTokenCount":{n}}}"#);
                let usage = output.map(usage).unwrap_or_default();
                vec![data(&format!(
                    r#"{{"candidates":[{{"content":{{"role":"model"}},"finishReason":"STOP","index":0}}]{usage}}}"#
                ))]
            }
        }
    }

    /// Reports that come before any content.
    pub(crate) fn reports_early(self) -> Vec<String> {
        match self {
            Self::OpenAI => self.ends(Some(0)).split_off(1).into_iter().take(1).collect(),
            Self::Anthropic => self.begins(true),
            Self::Gemini => vec![data(r#"{"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}"#)],
        }
    }

    /// The tokens of the answer in them.
    pub(crate) fn early_output(self) -> u64 {
        match self {
            Self::OpenAI | Self::Gemini => 0,
            Self::Anthropic => 1,
        }
    }

    /// Whether the tokens of the prompt are known before the end of a stream.
    pub(crate) fn reports_input_first(self) -> bool {
        match self {
            Self::OpenAI => false,
            Self::Anthropic | Self::Gemini => true,
        }
    }

    /// A whole answer that says a word so often, and reports nothing.
    pub(crate) fn answer(self, word: &str, times: usize) -> String {
        let text = word.repeat(times);
        match self {
            Self::OpenAI => {
                format!(
                    r#"{{"id":"c1","model":"real","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}]}}"#
                )
            }
            Self::Anthropic => {
                format!(
                    r#"{{"id":"msg_1","type":"message","role":"assistant","model":"real","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn"}}"#
                )
            }
            Self::Gemini => {
                format!(
                    r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"finishReason":"STOP","index":0}}]}}"#
                )
            }
        }
    }
}

fn data(json: &str) -> String {
    format!("data: {json}\n\n")
}

/// With the name that Anthropic's events have besides their type.
fn event(json: &str) -> String {
    let name = json.split('"').nth(3).unwrap_or_default();
    format!("event: {name}\n{}", data(json))
}

use std::convert::Infallible;

use crate::json::{Fault, Kind, Reader, Writer};
use crate::neutral::{Terms, Usage};

/// Usage as Gemini counts it: thoughts beside the candidates, and what tools put into the prompt beside the prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    prompt: Option<u64>,
    tool_prompt: Option<u64>,
    cached: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    total: Option<u64>,
    audio_prompt: Option<u64>,
    audio_candidates: Option<u64>,
    image_candidates: Option<u64>,
    images: u64,
    terms: Option<Terms>,
}

impl Counts {
    /// Takes over what a `usageMetadata` reports: it is cumulative, so the latest wins per field.
    pub(super) fn update(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        if reader.peek()? != Kind::Object {
            return reader.skip();
        }
        reader.object(|reader, key| match &*key.decode() {
            "promptTokenCount" => latest(&mut self.prompt, reader),
            "toolUsePromptTokenCount" => latest(&mut self.tool_prompt, reader),
            "cachedContentTokenCount" => latest(&mut self.cached, reader),
            "candidatesTokenCount" => latest(&mut self.candidates, reader),
            "thoughtsTokenCount" => latest(&mut self.thoughts, reader),
            "totalTokenCount" => latest(&mut self.total, reader),
            "promptTokensDetails" => details(reader, |modality, count| {
                if modality == "AUDIO" {
                    self.audio_prompt = Some(count);
                }
            }),
            "candidatesTokensDetails" => details(reader, |modality, count| match modality {
                "AUDIO" => self.audio_candidates = Some(count),
                "IMAGE" => self.image_candidates = Some(count),
                _ => {}
            }),
            "serviceTier" if reader.peek()? == Kind::String => {
                self.terms = Some(Terms::of_tier(&reader.string()?.to_lowercase()));
                Ok(())
            }
            _ => reader.skip(),
        })
    }

    /// The answer has one more picture. Usage does not tell how many, and they are paid by the piece.
    pub(super) fn image(&mut self) {
        self.images += 1;
    }

    /// All that was read is input and all that was written is output in the neutral form. Zeros are left out by
    /// Gemini, so an answer of no tokens is what the total leaves.
    pub(super) fn usage(&self) -> Usage {
        let input = self.prompt.or(self.tool_prompt);
        let input = input.map(|_| self.prompt.unwrap_or(0).saturating_add(self.tool_prompt.unwrap_or(0)));
        let written = self.candidates.or(self.thoughts);
        let written = written.map(|_| self.candidates.unwrap_or(0).saturating_add(self.thoughts.unwrap_or(0)));
        Usage {
            input,
            output: written.or_else(|| self.total?.checked_sub(input?)),
            cached_input: self.cached,
            cache_write: None,
            cache_write_1h: None,
            reasoning: self.thoughts,
            audio_input: self.audio_prompt,
            audio_output: self.audio_candidates,
            image_output: self.image_candidates,
            images: (self.images > 0).then_some(self.images),
            terms: self.terms,
        }
    }
}

/// Writes a `usageMetadata`: thoughts beside the candidates. What a cache wrote has no place in it.
pub(super) fn write(w: &mut Writer<'_>, usage: &Usage) -> Result<(), Infallible> {
    let Usage { input, output, cached_input, reasoning, audio_input, audio_output, .. } = *usage;
    let spoken = output.map(|output| output.saturating_sub(reasoning.unwrap_or(0)));
    w.object(|w| {
        let counts = [
            ("promptTokenCount", input),
            ("cachedContentTokenCount", cached_input),
            ("candidatesTokenCount", spoken),
            ("thoughtsTokenCount", reasoning),
            ("totalTokenCount", usage.total()),
        ];
        for (key, count) in counts {
            if let Some(count) = count {
                w.key(key).unsigned(count);
            }
        }
        modalities(w, "promptTokensDetails", input, audio_input)?;
        modalities(w, "candidatesTokensDetails", spoken, audio_output)
    })
}

fn modalities(w: &mut Writer<'_>, key: &'static str, all: Option<u64>, audio: Option<u64>) -> Result<(), Infallible> {
    let (Some(all), Some(audio)) = (all, audio.filter(|audio| *audio > 0)) else { return Ok(()) };
    w.key(key).array(|w| {
        [("TEXT", all.saturating_sub(audio)), ("AUDIO", audio)].into_iter().try_for_each(|(modality, count)| {
            w.object(|w| {
                w.key("modality").string(modality);
                w.key("tokenCount").unsigned(count);
                Ok(())
            })
        })
    })
}

fn latest(field: &mut Option<u64>, reader: &mut Reader<'_>) -> Result<(), Fault> {
    if reader.peek()? != Kind::Number {
        return reader.skip();
    }
    *field = reader.number()?.parse().ok().or(*field);
    Ok(())
}

/// Each modality of a list with its tokens.
fn details(reader: &mut Reader<'_>, mut each: impl FnMut(&str, u64)) -> Result<(), Fault> {
    if reader.peek()? != Kind::Array {
        return reader.skip();
    }
    reader.array(|reader| {
        let (mut modality, mut count) = ("", None);
        if reader.peek()? != Kind::Object {
            return reader.skip();
        }
        reader.object(|reader, key| match &*key.decode() {
            "modality" => {
                modality = reader.raw()?.trim_matches('"');
                Ok(())
            }
            "tokenCount" => latest(&mut count, reader),
            _ => reader.skip(),
        })?;
        if let Some(count) = count {
            each(modality, count);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_is_candidates_and_thoughts_and_prompt_holds_tool_use_and_cached() {
        let mut counts = Counts::default();
        let first = r#"{"promptTokenCount":100,"totalTokenCount":100}"#;
        counts.update(&mut Reader::of(first)).expect("must parse");
        assert_eq!((counts.usage().input, counts.usage().output), (Some(100), Some(0)));
        let last = r#"{"promptTokenCount":100,"toolUsePromptTokenCount":20,"cachedContentTokenCount":60,"candidatesTokenCount":7,"thoughtsTokenCount":30,"totalTokenCount":157,"promptTokensDetails":[{"modality":"TEXT","tokenCount":90},{"modality":"AUDIO","tokenCount":10}]}"#;
        counts.update(&mut Reader::of(last)).expect("must parse");
        let expected = Usage {
            input: Some(120),
            output: Some(37),
            cached_input: Some(60),
            reasoning: Some(30),
            audio_input: Some(10),
            ..Usage::default()
        };
        assert_eq!(counts.usage(), expected);
    }

    #[test]
    fn pictures_are_counted_over_all_events_and_those_in_thoughts_are_not() {
        let part = |more: &str| format!(r#"{{"inlineData":{{"data":"aGk=","mimeType":"image/png"}}{more}}}"#);
        let event = |part: &str| format!(r#"{{"candidates":[{{"content":{{"parts":[{part}]}}}}]}}"#);
        let last = r#"{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1300,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}],"serviceTier":"STANDARD"}}"#;
        let sound = r#"{"inlineData":{"mimeType":"audio/pcm","data":""}}"#;
        let mut counts = Counts::default();
        let events = [part(""), part(r#","thought":true"#), sound.to_owned(), part("")].map(|part| event(&part));
        for event in events.iter().map(String::as_str).chain([last]) {
            super::super::chunk::read(event.as_bytes(), &mut counts).expect("must parse");
        }
        let usage = counts.usage();
        assert_eq!((usage.images, usage.image_output, usage.terms), (Some(2), Some(1290), Some(Terms::Listed)));
    }

    #[test]
    fn the_way_back_parts_thoughts_and_modalities_again() {
        let usage = Usage {
            input: Some(120),
            output: Some(37),
            cached_input: Some(60),
            reasoning: Some(30),
            audio_input: Some(10),
            ..Usage::default()
        };
        let mut out = Vec::new();
        let Ok(()) = write(&mut Writer::new(&mut out), &usage);
        let expected = r#"{"promptTokenCount":120,"cachedContentTokenCount":60,"candidatesTokenCount":7,"thoughtsTokenCount":30,"totalTokenCount":157,"promptTokensDetails":[{"modality":"TEXT","tokenCount":110},{"modality":"AUDIO","tokenCount":10}]}"#;
        let written = String::from_utf8_lossy(&out);
        assert_eq!(written, expected);
        let mut counts = Counts::default();
        counts.update(&mut Reader::of(&written)).expect("must parse");
        assert_eq!(counts.usage(), usage);
        out.clear();
        let Ok(()) = write(&mut Writer::new(&mut out), &Usage::default());
        assert_eq!(out, b"{}", "absent is not zero");
    }
}

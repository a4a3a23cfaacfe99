use super::{says_nothing, schema, unsupported};
use crate::Error;
use crate::facts::{Sampling, Thinking};
use crate::json::Writer;
use crate::neutral::{Extra, Output, Reasoning, Request, ToolChoice};
use crate::translate::{Dropped, Target};

/// Writes `generationConfig`, if there is anything to say.
pub(super) fn write(
    w: &mut Writer<'_>,
    request: &Request<'_>,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let before = w.out.len();
    w.key("generationConfig");
    let opening = w.out.len();
    w.object(|w| {
        if let Some(wanted) = request.max_tokens {
            let most = target.facts.max_output.map_or(wanted, u64::from);
            w.key("maxOutputTokens").unsigned(wanted.min(most));
        }
        sampling(w, request, target, dropped);
        stop(w, request)?;
        output(w, request, target)?;
        thinking(w, request, target, dropped)?;
        hints(w, request, target, dropped);
        Ok::<(), Error>(())
    })?;
    if w.out.len() == opening + 2 {
        w.out.truncate(before);
    }
    Ok(())
}

fn sampling(w: &mut Writer<'_>, request: &Request<'_>, target: &Target<'_>, dropped: &mut Dropped) {
    let given = &request.sampling;
    let all = [
        ("temperature", "temperature", given.temperature),
        ("topP", "top_p", given.top_p),
        ("topK", "top_k", given.top_k),
    ];
    let fixed = target.facts.sampling == Sampling::Fixed;
    for (key, name, number) in all {
        let Some(number) = number else { continue };
        match number.parse::<f64>() {
            Ok(1.0) if fixed => {}
            _ if fixed => dropped.add(name),
            _ => w.key(key).raw(number),
        }
    }
}

fn stop(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    let sequences = || request.stop.iter().filter(|sequence| !sequence.is_empty());
    if sequences().next().is_none() {
        return Ok(());
    }
    w.key("stopSequences").array(|w| {
        sequences().for_each(|sequence| w.string(sequence));
        Ok(())
    })
}

/// JSON for an answer, natively. Older models take it only where no tool may be called.
fn output(w: &mut Writer<'_>, request: &Request<'_>, target: &Target<'_>) -> Result<(), Error> {
    let schema = match &request.output {
        None | Some(Output::Text) => return Ok(()),
        Some(Output::JsonObject) => None,
        Some(Output::JsonSchema { schema, .. }) => *schema,
    };
    let may_call = !request.tools.is_empty() && request.tool_choice != Some(ToolChoice::None);
    if may_call && !target.facts.schema_beside_tools {
        return Err(unsupported("response_format", "the model takes either tools or a form of its answer"));
    }
    w.key("responseMimeType").string("application/json");
    match schema {
        Some(schema) if target.facts.json_schema => w.key("responseJsonSchema").raw(schema.0),
        Some(schema) => w.key("responseSchema").raw(&schema::plain(schema.0)),
        None => {}
    }
    Ok(())
}

/// How much to think, as the model's generation says it. Thoughts are shown where thinking was asked for.
fn thinking(
    w: &mut Writer<'_>,
    request: &Request<'_>,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let Some(asked) = &request.reasoning else { return Ok(()) };
    let shown = *asked != Reasoning::Off;
    match target.facts.thinking {
        Thinking::Tokens { least, most, off } => w.key("thinkingConfig").object(|w| {
            w.key("thinkingBudget").unsigned(budget(asked, least, most, off));
            show(w, shown);
            Ok(())
        }),
        Thinking::Level { minimal, medium } => w.key("thinkingConfig").object(|w| {
            w.key("thinkingLevel").string(level(asked, minimal, medium));
            show(w, shown);
            Ok(())
        }),
        Thinking::None | Thinking::Budget | Thinking::Adaptive { .. } | Thinking::Effort | Thinking::Think { .. } => {
            if shown {
                dropped.add("reasoning_effort");
            }
            Ok(())
        }
    }
}

fn show(w: &mut Writer<'_>, shown: bool) {
    if shown {
        w.key("includeThoughts").bool(true);
    }
}

/// Tokens for an effort (ai.google.dev, gemini-api/docs/openai, the table of `reasoning_effort`).
fn budget(asked: &Reasoning<'_>, least: u32, most: u32, off: bool) -> u64 {
    let tokens = match asked {
        Reasoning::Off if off => return 0,
        Reasoning::Off => 0,
        Reasoning::Budget(tokens) => *tokens,
        // As much as it takes: the middle, since 2.5's own word for it (-1) has no bound.
        Reasoning::Adaptive => 8192,
        Reasoning::Effort(word) => match &**word {
            "minimal" | "low" => 1024,
            "high" => 24_576,
            "xhigh" | "max" => u64::from(most),
            _ => 8192,
        },
    };
    tokens.clamp(least.into(), most.into())
}

fn level(asked: &Reasoning<'_>, minimal: bool, medium: bool) -> &'static str {
    let wanted = match asked {
        Reasoning::Off => "MINIMAL",
        Reasoning::Budget(0..=512) => "MINIMAL",
        Reasoning::Budget(513..=2048) => "LOW",
        Reasoning::Budget(2049..=12_288) => "MEDIUM",
        Reasoning::Budget(_) | Reasoning::Adaptive => "HIGH",
        Reasoning::Effort(word) => match &**word {
            "minimal" => "MINIMAL",
            "low" => "LOW",
            "medium" => "MEDIUM",
            _ => "HIGH",
        },
    };
    match wanted {
        "MINIMAL" if !minimal => "LOW",
        "MEDIUM" if !medium => "HIGH",
        known => known,
    }
}

/// What only OpenAI's dialect says: natively where Gemini has it, else left out and said.
fn hints(w: &mut Writer<'_>, request: &Request<'_>, target: &Target<'_>, dropped: &mut Dropped) {
    let users = [("user", &request.user), ("safety_identifier", &request.safety_identifier)];
    for (name, user) in users {
        if user.as_deref().is_some_and(|user| !user.is_empty()) {
            dropped.add(name);
        }
    }
    for Extra { name, value } in &request.extra {
        let value = value.0;
        let penalty = target.facts.penalties && value.parse::<f64>().is_ok();
        match &**name {
            "seed" if value.parse::<i32>().is_ok() => w.key("seed").raw(value),
            "seed" => dropped.add("seed"),
            _ if says_nothing(value) => {}
            "presence_penalty" if penalty => w.key("presencePenalty").raw(value),
            "frequency_penalty" if penalty => w.key("frequencyPenalty").raw(value),
            "service_tier" if matches!(value, r#""auto""# | r#""default""#) => {}
            // Only text gets here; sound comes with a modality, and storing was judged before a target was picked.
            "modalities" | "audio" | "store" => {}
            name => dropped.add(name),
        }
    }
}

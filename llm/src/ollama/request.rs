//! A request in the neutral form, written for Ollama's chat.

mod messages;
mod schema;

use crate::Error;
use crate::facts::Thinking;
use crate::json::Writer;
use crate::neutral::{Extra, Output, Raw, Reasoning, Request, Tool, ToolChoice};
use crate::openai;
use crate::translate::{Dropped, Emitted, Names, Target, check_extra, refuse_other_tools, unsupported};

/// Members beyond the neutral form that are options of Ollama's, under the names that OpenAI's clients and its own give
/// them. `num_ctx` is sent only if the client says it: another one than before loads the model anew.
const OPTIONS: [&str; 9] = [
    "frequency_penalty",
    "min_p",
    "num_ctx",
    "num_keep",
    "presence_penalty",
    "repeat_last_n",
    "repeat_penalty",
    "seed",
    "typical_p",
];

/// Ollama wants a schema of every function.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// Writes the request for that target.
///
/// # Errors
/// [`Error::Unsupported`] for what Ollama has no words for, [`Error::BadRequest`] for a tool result without its call and
/// for a conversation in which nothing is said.
pub(crate) fn emit_request(request: &Request<'_>, target: &Target<'_>) -> Result<Emitted, Error> {
    let mut dropped = Dropped::default();
    check(request)?;
    let mut body = Vec::with_capacity(request.messages.iter().map(|m| m.parts.len() * 256).sum::<usize>() + 2048);
    Writer::new(&mut body).object(|w| {
        w.key("model").string(target.model);
        w.key("messages").array(|w| messages::write(w, request, &mut dropped))?;
        tools(w, request, &mut dropped)?;
        // A stream is what Ollama answers with unless it is told.
        w.key("stream").bool(request.stream);
        // By default what does not fit is cut from the prompt, and nobody is told.
        w.key("truncate").bool(false);
        w.key("shift").bool(false);
        output(w, request);
        think(w, request, target, &mut dropped);
        options(w, request)?;
        request.extra.iter().try_for_each(|it| extra(w, it, &mut dropped))
    })?;
    for (name, user) in [("user", &request.user), ("safety_identifier", &request.safety_identifier)] {
        if user.as_deref().is_some_and(|user| !user.is_empty()) {
            dropped.add(name);
        }
    }
    Ok(Emitted { body, dropped: dropped.names(), names: Names::default() })
}

/// What Ollama cannot say is refused before anything is written.
fn check(request: &Request<'_>) -> Result<(), Error> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(unsupported("n", "only one answer can be asked for"));
    }
    refuse_other_tools(request)?;
    match &request.tool_choice {
        _ if request.tools.is_empty() => Ok(()),
        None | Some(ToolChoice::Auto | ToolChoice::None) => Ok(()),
        Some(ToolChoice::Required | ToolChoice::Named(_)) => {
            Err(unsupported("tool_choice", "the target cannot be made to call a tool"))
        }
        Some(ToolChoice::Other(_)) => Err(unsupported("tool_choice", "only auto and none")),
    }
}

/// Tools that may not be called are not shown: Ollama has no other word for it.
fn tools(w: &mut Writer<'_>, request: &Request<'_>, dropped: &mut Dropped) -> Result<(), Error> {
    if request.tools.is_empty() || request.tool_choice == Some(ToolChoice::None) {
        return Ok(());
    }
    if request.parallel_tool_calls == Some(false) {
        dropped.add("parallel_tool_calls");
    }
    w.key("tools").array(|w| request.tools.iter().try_for_each(|tool| declare(w, tool, dropped)))
}

fn declare(w: &mut Writer<'_>, tool: &Tool<'_>, dropped: &mut Dropped) -> Result<(), Error> {
    tool.extra.iter().for_each(|extra| dropped.add(&extra.name));
    for (name, is_said) in [("cache_control", tool.cache.is_some()), ("tools.strict", tool.strict == Some(true))] {
        if is_said {
            dropped.add(name);
        }
    }
    let parameters = schema::inlined(tool.parameters.map_or(NO_ARGUMENTS, |parameters| parameters.0));
    let known = Tool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: Some(Raw(&parameters)),
        ..Tool::default()
    };
    openai::function(w, &known)
}

/// JSON for an answer: of a schema, or of any.
fn output(w: &mut Writer<'_>, request: &Request<'_>) {
    match &request.output {
        None | Some(Output::Text) => {}
        Some(Output::JsonSchema { schema: Some(schema), .. }) => w.key("format").raw(schema.0),
        Some(Output::JsonObject | Output::JsonSchema { schema: None, .. }) => w.key("format").string("json"),
    }
}

/// Whether to think, and how hard. Models that can do so unless they are told; others refuse to be asked, but not to be
/// told not to.
fn think(w: &mut Writer<'_>, request: &Request<'_>, target: &Target<'_>, dropped: &mut Dropped) {
    let (asked, thinking) = match &request.reasoning {
        None | Some(Reasoning::Adaptive) => return,
        Some(asked) => (asked, target.facts.thinking),
    };
    match (asked, thinking) {
        (Reasoning::Off, Thinking::Think { off: false }) => w.key("think").string("low"),
        (Reasoning::Off, _) => w.key("think").bool(false),
        (asked, Thinking::Think { off }) => w.key("think").string(level(asked, off)),
        _ => dropped.add("reasoning_effort"),
    }
}

fn level(asked: &Reasoning<'_>, knows_max: bool) -> &'static str {
    match asked {
        Reasoning::Off => "low",
        Reasoning::Budget(tokens) => openai::of_budget(*tokens),
        Reasoning::Adaptive => "high",
        Reasoning::Effort(word) => match &**word {
            "minimal" | "low" => "low",
            "medium" => "medium",
            "xhigh" | "max" if knows_max => "max",
            _ => "high",
        },
    }
}

/// Writes `options`, if there is anything to say.
fn options(w: &mut Writer<'_>, request: &Request<'_>) -> Result<(), Error> {
    let before = w.out.len();
    w.key("options");
    let opening = w.out.len();
    w.object(|w| {
        if let Some(max) = request.max_tokens {
            w.key("num_predict").unsigned(max);
        }
        let sampling = &request.sampling;
        let all = [("temperature", sampling.temperature), ("top_p", sampling.top_p), ("top_k", sampling.top_k)];
        for (key, number) in all {
            if let Some(number) = number {
                w.key(key).raw(number);
            }
        }
        for Extra { name, value } in request.extra.iter().filter(|extra| is_option(extra)) {
            w.any_key(name).raw(value.0);
        }
        if request.stop.is_empty() {
            return Ok(());
        }
        w.key("stop").array(|w| {
            request.stop.iter().filter(|text| !text.is_empty()).for_each(|text| w.string(text));
            Ok::<(), Error>(())
        })
    })?;
    if w.out.len() == opening + 2 {
        w.out.truncate(before);
    }
    Ok(())
}

fn is_option(extra: &Extra<'_>) -> bool {
    OPTIONS.contains(&&*extra.name)
}

fn extra(w: &mut Writer<'_>, extra: &Extra<'_>, dropped: &mut Dropped) -> Result<(), Error> {
    match &*extra.name {
        _ if is_option(extra) => Ok(()),
        "keep_alive" => {
            w.key("keep_alive").raw(extra.value.0);
            Ok(())
        }
        _ => check_extra(extra, dropped),
    }
}

use std::collections::HashSet;

use super::blocks::Blocks;
use super::plan::{Choice, Plan};
use super::{is_plain, schema};
use crate::json::Writer;
use crate::neutral::{OtherTool, Output, Part, Request, Tool};
use crate::translate::{Dropped, Names, Target, unique_tool};
use crate::{Dialect, Error};

/// The longest name that Anthropic takes.
pub(super) const MAX_NAME: usize = 128;

/// A name for the tool that stands for the JSON answer.
pub(super) fn answer_name(request: &Request<'_>, names: &Names) -> String {
    let wanted = match &request.output {
        Some(Output::JsonSchema { name, .. }) if is_plain(name) && name.len() < MAX_NAME => &**name,
        _ => "answer",
    };
    unique_tool(request, names, wanted)
}

fn called<'r>(request: &'r Request<'_>) -> impl Iterator<Item = &'r str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(&*call.name) } else { None })
}

pub(super) fn write(
    w: &mut Writer<'_>,
    request: &Request<'_>,
    target: &Target<'_>,
    plan: &Plan,
    blocks: &mut Blocks<'_>,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let (mut seen, mut known): (Vec<&str>, HashSet<&str>) = Default::default();
    let declared = !request.tools.is_empty() || !request.other_tools.is_empty();
    if !declared {
        for name in called(request).map(|name| plan.names.sent_name(name)) {
            if known.insert(name) {
                seen.push(name);
            }
        }
    }
    if !declared && seen.is_empty() && plan.names.answer_tool().is_none() {
        return Ok(());
    }
    w.key("tools").array(|w| {
        let mut tools = request.tools.iter();
        let mut others = request.other_tools.iter().peekable();
        for index in 0..request.tools.len() + request.other_tools.len() {
            match (others.next_if(|other| other.index == index), request.origin) {
                (Some(OtherTool { value, .. }), _) => w.raw(value.0),
                (None, Dialect::Anthropic) => tools.next().map_or(Ok(()), |tool| own(w, tool, plan, blocks))?,
                (None, _) => {
                    tools.next().map_or(Ok(()), |tool| declare(w, tool, target, plan, blocks, dropped))?;
                }
            }
        }
        seen.iter().try_for_each(|name| bare(w, name, schema::ANY_OBJECT))?;
        match plan.names.answer_tool() {
            Some(name) => answer(w, name, request),
            None => Ok(()),
        }
    })?;
    choice(w, request, plan)
}

fn declare(
    w: &mut Writer<'_>,
    tool: &Tool<'_>,
    target: &Target<'_>,
    plan: &Plan,
    blocks: &mut Blocks<'_>,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    // Strictness asks for a closed schema; where that cannot be had, the schema still describes.
    let strict = (tool.strict == Some(true) && target.facts.json_schema)
        .then(|| tool.parameters.and_then(|parameters| schema::closed(parameters.0)))
        .flatten();
    if tool.strict == Some(true) && strict.is_none() {
        dropped.add("tools.strict");
    }
    w.object(|w| {
        w.key("name").string(plan.names.sent_name(&tool.name));
        if let Some(description) = tool.description.as_deref().filter(|text| !text.is_empty()) {
            w.key("description").string(description);
        }
        match (&strict, tool.parameters) {
            (Some(closed), _) => {
                w.key("input_schema").raw(closed);
                w.key("strict").bool(true);
            }
            (None, Some(parameters)) => w.key("input_schema").raw(&schema::object(parameters.0)),
            (None, None) => w.key("input_schema").raw(schema::NO_ARGUMENTS),
        }
        blocks.mark(w, tool.cache);
        Ok(())
    })
}

/// A tool that was declared in Anthropic's own words.
fn own(w: &mut Writer<'_>, tool: &Tool<'_>, plan: &Plan, blocks: &mut Blocks<'_>) -> Result<(), Error> {
    w.object(|w| {
        w.key("name").string(plan.names.sent_name(&tool.name));
        if let Some(description) = &tool.description {
            w.key("description").string(description);
        }
        w.key("input_schema").raw(tool.parameters.map_or(schema::NO_ARGUMENTS, |schema| schema.0));
        if let Some(strict) = tool.strict {
            w.key("strict").bool(strict);
        }
        blocks.mark(w, tool.cache);
        blocks.extra(w, &tool.extra);
        Ok(())
    })
}

fn bare(w: &mut Writer<'_>, name: &str, schema: &str) -> Result<(), Error> {
    w.object(|w| {
        w.key("name").string(name);
        w.key("input_schema").raw(schema);
        Ok(())
    })
}

fn answer(w: &mut Writer<'_>, name: &str, request: &Request<'_>) -> Result<(), Error> {
    let (described, schema) = match &request.output {
        Some(Output::JsonSchema { description, schema, .. }) => (description.as_deref(), *schema),
        _ => (None, None),
    };
    w.object(|w| {
        w.key("name").string(name);
        w.key("description").string(described.unwrap_or("Gives the answer to the user."));
        match schema {
            Some(schema) => w.key("input_schema").raw(&schema::object(schema.0)),
            None => w.key("input_schema").raw(schema::ANY_OBJECT),
        }
        Ok(())
    })
}

/// `parallel_tool_calls: false` has its place inside the choice, so there must be one.
fn choice(w: &mut Writer<'_>, request: &Request<'_>, plan: &Plan) -> Result<(), Error> {
    let single = request.parallel_tool_calls == Some(false) && plan.choice != Choice::None;
    let of_type = match &plan.choice {
        Choice::Unsaid if !single => return Ok(()),
        Choice::Unsaid | Choice::Auto => "auto",
        Choice::Any => "any",
        Choice::None => "none",
        Choice::Tool(_) => "tool",
    };
    w.key("tool_choice").object(|w| {
        w.key("type").string(of_type);
        if let Choice::Tool(name) = &plan.choice {
            w.key("name").string(name);
        }
        if single {
            w.key("disable_parallel_tool_use").bool(true);
        }
        Ok(())
    })
}

use super::turns::Turns;
use super::{schema, tools};
use crate::facts;
use crate::neutral::{Output, Reasoning, Request, ToolChoice};
use crate::schema::JSON_ONLY;
use crate::translate::{Dropped, Names, Target, check_extra, unsupported};
use crate::{Dialect, Error};

/// What has to be decided before the first byte is written, because one decision excludes another.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) names: Names,
    pub(super) thinking: Thinking,
    pub(super) effort: Option<&'static str>,
    pub(super) choice: Choice,
    /// The answer's schema, where the model takes it natively.
    pub(super) native_schema: Option<String>,
    /// A sentence for the system prompt, where nothing better is left.
    pub(super) instruction: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    Unsaid,
    Off,
    Budget(u64),
    Adaptive,
}

/// Anthropic's `tool_choice`, by the tool's name as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    Unsaid,
    Auto,
    Any,
    None,
    Tool(String),
}

/// The least budget that Anthropic takes.
const MIN_BUDGET: u64 = 1024;

impl Plan {
    pub(super) fn of(
        request: &Request<'_>,
        target: &Target<'_>,
        max_tokens: u64,
        turns: &Turns<'_, '_>,
        names: Names,
        dropped: &mut Dropped,
    ) -> Result<Self, Error> {
        let mut plan = Self {
            names,
            thinking: Thinking::Unsaid,
            effort: None,
            choice: Choice::Unsaid,
            native_schema: None,
            instruction: None,
        };
        plan.choose_tool(request, target, turns)?;
        plan.shape_output(request, target, dropped)?;
        plan.think(request, target, max_tokens, turns, dropped);
        Ok(plan)
    }

    pub(super) fn thinks(&self) -> bool {
        matches!(self.thinking, Thinking::Budget(_) | Thinking::Adaptive)
    }

    fn is_forced(&self) -> bool {
        matches!(self.choice, Choice::Any | Choice::Tool(_))
    }

    fn choose_tool(&mut self, request: &Request<'_>, target: &Target<'_>, turns: &Turns<'_, '_>) -> Result<(), Error> {
        let declared = !request.tools.is_empty() || !request.other_tools.is_empty();
        self.choice = match &request.tool_choice {
            // Tools that only the history speaks of must be declared, but not called again.
            _ if !declared && turns.has_calls => Choice::None,
            _ if !declared => Choice::Unsaid,
            None => Choice::Unsaid,
            Some(ToolChoice::Auto) => Choice::Auto,
            Some(ToolChoice::Required) => Choice::Any,
            Some(ToolChoice::None) => Choice::None,
            Some(ToolChoice::Named(name)) => Choice::Tool(self.names.sent_name(name).to_owned()),
            Some(ToolChoice::Other(_)) => {
                return Err(unsupported("tool_choice", "only auto, none, required and one function"));
            }
        };
        if self.is_forced() && !target.facts.forced_tools {
            return Err(unsupported("tool_choice", "the model cannot be forced to call a tool"));
        }
        Ok(())
    }

    /// JSON for an answer: natively, else as the input of a tool that must be called, else by asking for it.
    fn shape_output(&mut self, request: &Request<'_>, target: &Target<'_>, dropped: &mut Dropped) -> Result<(), Error> {
        let schema = match &request.output {
            None | Some(Output::Text) => return Ok(()),
            Some(Output::JsonObject) => None,
            Some(Output::JsonSchema { schema, .. }) => *schema,
        };
        if target.facts.json_schema {
            self.native_schema = schema.and_then(|schema| match request.origin {
                Dialect::Anthropic => Some(schema.0.to_owned()),
                _ => schema::closed(schema.0),
            });
        }
        // A tool that the client forces leaves no room for another answer.
        if self.native_schema.is_some() || self.is_forced() {
            return Ok(());
        }
        if target.facts.forced_tools {
            let alone = request.tools.is_empty() || self.choice == Choice::None;
            let name = tools::answer_name(request, &self.names);
            self.choice = if alone { Choice::Tool(name.clone()) } else { Choice::Any };
            self.names.set_answer_tool(name);
            return Ok(());
        }
        if schema.is_some() {
            return Err(unsupported("response_format", "the model takes no schema like this one"));
        }
        self.instruction = Some(JSON_ONLY);
        dropped.add("response_format");
        Ok(())
    }

    fn think(
        &mut self,
        request: &Request<'_>,
        target: &Target<'_>,
        max_tokens: u64,
        turns: &Turns<'_, '_>,
        dropped: &mut Dropped,
    ) {
        let facts = target.facts;
        let off = if facts.thinks_unasked { Thinking::Off } else { Thinking::Unsaid };
        let asked = request.reasoning.as_ref();
        let excluded = self.is_forced() || (facts.prefill && turns.ends_with_assistant());
        match (facts.thinking, asked) {
            (
                facts::Thinking::None
                | facts::Thinking::Effort
                | facts::Thinking::Tokens { .. }
                | facts::Thinking::Level { .. }
                | facts::Thinking::Think { .. },
                Some(Reasoning::Effort(_) | Reasoning::Budget(_) | Reasoning::Adaptive),
            ) => dropped.add("reasoning_effort"),
            (facts::Thinking::Budget, Some(Reasoning::Effort(_) | Reasoning::Budget(_) | Reasoning::Adaptive)) => {
                let wanted = asked.map_or(MIN_BUDGET, budget);
                let most = max_tokens.saturating_sub(MIN_BUDGET).max(MIN_BUDGET);
                let tokens = wanted.min(most);
                // A call in progress must be led by the thinking that it came from.
                if excluded || tokens >= max_tokens || turns.calls_without_thinking() {
                    dropped.add("reasoning_effort");
                } else {
                    self.thinking = Thinking::Budget(tokens);
                }
            }
            (facts::Thinking::Adaptive { always, xhigh }, asked) => {
                self.effort = asked.and_then(|asked| effort(asked, xhigh));
                match asked {
                    Some(Reasoning::Off) if !always => (self.thinking, self.effort) = (off, None),
                    Some(Reasoning::Effort(_) | Reasoning::Budget(_) | Reasoning::Adaptive) if excluded && !always => {
                        (self.thinking, self.effort) = (off, None);
                        dropped.add("reasoning_effort");
                    }
                    Some(Reasoning::Effort(_) | Reasoning::Budget(_) | Reasoning::Adaptive) => {
                        self.thinking = Thinking::Adaptive
                    }
                    None if excluded && !always => self.thinking = off,
                    Some(Reasoning::Off) | None => {}
                }
            }
            (_, Some(Reasoning::Off) | None) => {}
        }
    }
}

/// Tokens for an effort. Anthropic's least is 1,024; the rest are round figures that leave room to answer.
fn budget(reasoning: &Reasoning<'_>) -> u64 {
    match reasoning {
        Reasoning::Budget(tokens) => (*tokens).max(MIN_BUDGET),
        Reasoning::Off => MIN_BUDGET,
        Reasoning::Adaptive => 8192,
        Reasoning::Effort(word) => match &**word {
            "minimal" => MIN_BUDGET,
            "low" => 2048,
            "high" => 16_384,
            "xhigh" | "max" => 32_768,
            _ => 8192,
        },
    }
}

/// None where the model's own is meant.
fn effort(reasoning: &Reasoning<'_>, xhigh: bool) -> Option<&'static str> {
    Some(match reasoning {
        Reasoning::Adaptive => return None,
        Reasoning::Off => "low",
        Reasoning::Budget(tokens) => match tokens {
            0..=2048 => "low",
            2049..=8192 => "medium",
            _ => "high",
        },
        Reasoning::Effort(word) => match &**word {
            "minimal" | "low" => "low",
            "high" => "high",
            "xhigh" if xhigh => "xhigh",
            "xhigh" => "high",
            "max" => "max",
            _ => "medium",
        },
    })
}

/// What a member of OpenAI's dialect, one that the neutral form does not know, means to Anthropic.
pub(super) fn check(request: &Request<'_>, dropped: &mut Dropped) -> Result<(), Error> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(unsupported("n", "only one answer can be asked for"));
    }
    if request.origin == Dialect::Anthropic {
        return Ok(());
    }
    if let Some(tool) = request.other_tools.first() {
        let reason = format!("the target has no tools of type {:?}", tool.kind);
        return Err(Error::Unsupported { field: format!("tools[{}]", tool.index).into(), reason: reason.into() });
    }
    request.extra.iter().try_for_each(|extra| check_extra(extra, dropped))
}

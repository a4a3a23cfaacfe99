use std::convert::Infallible;

use super::echo::Echo;
use super::usage;
use crate::json::Writer;
use crate::neutral::{Finish, Usage};

/// What is the same in every mention of a response.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) id: String,
    model: String,
    created: u64,
    echo: Echo,
}

/// How far a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    /// And why.
    Incomplete(&'static str),
}

impl Status {
    pub(super) fn of(finish: Finish) -> Self {
        match finish {
            Finish::Length => Self::Incomplete("max_output_tokens"),
            Finish::ContentFilter => Self::Incomplete("content_filter"),
            Finish::Stop | Finish::ToolCalls | Finish::Pause | Finish::Failed | Finish::Unknown => Self::Completed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
        }
    }

    /// What ends early ends in the middle of its last item.
    pub(super) fn of_last_item(self) -> &'static str {
        self.word()
    }

    /// The event that says so.
    pub(super) fn event(self) -> &'static str {
        match self {
            Self::InProgress => "response.in_progress",
            Self::Completed => "response.completed",
            Self::Incomplete(_) => "response.incomplete",
        }
    }
}

impl Envelope {
    pub(super) fn new(id: &str, model: &str, created: u64, echo: Echo) -> Self {
        let mut envelope = Self { id: format!("resp_{created:x}"), model: String::new(), created, echo };
        envelope.name(id, model);
        envelope
    }

    /// Takes over what the provider says of itself; an id must be there.
    pub(super) fn name(&mut self, id: &str, model: &str) {
        if !id.is_empty() {
            id.clone_into(&mut self.id);
        }
        model.clone_into(&mut self.model);
    }

    /// Writes the response as it is now.
    pub(super) fn write(
        &self,
        w: &mut Writer<'_>,
        status: Status,
        usage: &Usage,
        output: impl FnOnce(&mut Writer<'_>) -> Result<(), Infallible>,
    ) -> Result<(), Infallible> {
        w.object(|w| {
            w.key("id").string(&self.id);
            w.key("object").string("response");
            w.key("created_at").unsigned(self.created);
            w.key("status").string(status.word());
            w.key("background").bool(false);
            w.key("error").raw("null");
            match status {
                Status::Incomplete(reason) => w.key("incomplete_details").object(|w| {
                    w.key("reason").string(reason);
                    Ok::<(), Infallible>(())
                })?,
                Status::InProgress | Status::Completed => w.key("incomplete_details").raw("null"),
            }
            w.raw(self.echo.members());
            w.key("model").string(&self.model);
            w.key("output").array(output)?;
            w.key("previous_response_id").raw("null");
            w.key("store").bool(false);
            w.key("usage");
            usage::write(w, usage)
        })
    }
}

//! A response that came in the API, written again: what every dialect has from the neutral form, and around it what
//! only this one has.

use std::convert::Infallible;

use super::item;
use crate::json::Writer;
use crate::neutral::{Extra, Item, Part, Response};
use crate::openai::length;
use crate::responses::annotations;

pub(super) fn write(w: &mut Writer<'_>, response: &Response<'_>, created: u64) -> Result<(), Infallible> {
    w.object(|w| {
        w.key("id").string(&response.id);
        w.key("object").string("response");
        w.key("created_at").unsigned(created);
        w.key("model").string(&response.model);
        w.key("output").array(|w| {
            let Some(choice) = response.choices.first() else { return Ok(()) };
            let mut parts = &choice.parts[..];
            choice.items.iter().try_for_each(|item| {
                let (held, rest) = parts.split_at(item.parts.len().min(parts.len()));
                parts = rest;
                one(w, item, held)
            })
        })?;
        w.key("usage").raw(response.raw_usage.map_or("null", |raw| raw.0));
        extra(w, &response.extra);
        Ok(())
    })
}

fn extra(w: &mut Writer<'_>, all: &[Extra<'_>]) {
    all.iter().for_each(|extra| w.any_key(&extra.name).raw(extra.value.0));
}

fn one(w: &mut Writer<'_>, item: &Item<'_>, parts: &[Part<'_>]) -> Result<(), Infallible> {
    let has = |name: &str| item.extra.iter().any(|extra| extra.name == name);
    if let ([Part::Unknown { value, .. }], false) = (parts, item.kind == "message") {
        w.raw(value.0);
        return Ok(());
    }
    w.object(|w| {
        w.key("type").string(&item.kind);
        extra(w, &item.extra);
        match (&*item.kind, parts) {
            ("message", parts) if !has("content") => w
                .key("content")
                .array(|w| parts.iter().zip(&item.parts).try_for_each(|(part, more)| said(w, part, more))),
            ("reasoning", parts) => {
                // What proves the thinking is among the members that stay as they were.
                let thoughts = parts.iter().zip(&item.parts).filter(|(_, more)| !more.is_empty());
                if thoughts.clone().next().is_none() {
                    return Ok(());
                }
                w.key(if has("summary") { "content" } else { "summary" })
                    .array(|w| thoughts.into_iter().try_for_each(|(part, more)| thought(w, part, more)))
            }
            (_, [Part::ToolCall(call)]) => {
                w.key("call_id").string(&call.id);
                w.key("name").string(&call.name);
                w.key("arguments").string(&call.arguments);
                Ok(())
            }
            _ => Ok(()),
        }
    })
}

fn said(w: &mut Writer<'_>, part: &Part<'_>, more: &[Extra<'_>]) -> Result<(), Infallible> {
    if let Part::Unknown { value, .. } = part {
        w.raw(value.0);
        return Ok(());
    }
    w.object(|w| {
        match part {
            Part::Text { text, citations, .. } => {
                w.key("type").string("output_text");
                w.key("text").string(text);
                let written = annotations::written(citations, |it| it.span.unwrap_or((0, length(text))));
                w.key("annotations").array(|w| item::list(w, &written))?;
            }
            Part::Refusal(text) => {
                w.key("type").string("refusal");
                w.key("refusal").string(text);
            }
            _ => {}
        }
        extra(w, more);
        Ok(())
    })
}

fn thought(w: &mut Writer<'_>, part: &Part<'_>, more: &[Extra<'_>]) -> Result<(), Infallible> {
    w.object(|w| {
        extra(w, more);
        if let Part::Reasoning { text, .. } = part {
            w.key("text").string(text);
        }
        Ok(())
    })
}

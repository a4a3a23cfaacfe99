use super::NO_STATE;
use crate::Dialect;
use crate::json::{Fault, Kind};
use crate::json::{Member, Members};
use crate::neutral::{Media, MediaKind, Part, Source, Text};
use crate::openai;
use crate::translate::Dropped;

/// A string, or a list of parts; true if it was a string.
pub(super) fn read<'a>(content: Member<'a>, dropped: &mut Dropped) -> Result<(Vec<Part<'a>>, bool), Fault> {
    if content.kind()? == Kind::String {
        return Ok((vec![Part::text(content.string()?)], true));
    }
    let mut parts = Vec::new();
    content.items(|reader, base| {
        parts.push(part(Members::read(reader, base)?, dropped)?);
        Ok(())
    })?;
    Ok((parts, false))
}

fn part<'a>(mut part: Members<'a>, dropped: &mut Dropped) -> Result<Part<'a>, Fault> {
    if part.take("prompt_cache_breakpoint").is_some() {
        dropped.add("prompt_cache_breakpoint");
    }
    let kind = part.need("type")?.string()?;
    match &*kind {
        "input_text" | "output_text" | "text" => Ok(Part::text(part.need("text")?.string()?)),
        "refusal" => Ok(Part::Refusal(part.need("refusal")?.string()?)),
        "input_image" => image(part),
        "input_file" => file(part, dropped),
        // Chat has the same part.
        "input_audio" => Ok(Part::Unknown { origin: Dialect::OpenAI, kind, is_call: false, value: part.whole }),
        other => Err(Fault::unknown(part.at, format!("the target takes no parts of type {other:?}"))),
    }
}

fn image(mut image: Members<'_>) -> Result<Part<'_>, Fault> {
    stored(&mut image)?;
    let url = image.need("image_url")?;
    let at = url.at;
    let source = openai::source(at, url.string()?)?;
    Ok(media(MediaKind::Image, source, image.string("detail")?))
}

fn file<'a>(mut file: Members<'a>, dropped: &mut Dropped) -> Result<Part<'a>, Fault> {
    stored(&mut file)?;
    if file.take("detail").is_some() {
        dropped.add("input_file.detail");
    }
    let name = file.string("filename")?;
    let source = match (file.take("file_data"), file.take("file_url")) {
        (Some(data), _) => {
            let at = data.at;
            openai::file_source(at, data.string()?)?
        }
        (None, Some(url)) => Source::Url(url.string()?),
        (None, None) => return Err(Fault::new(file.at, "file_data is missing")),
    };
    Ok(media(MediaKind::Document, source, name))
}

/// An id in another provider's store says nothing here.
fn stored(part: &mut Members<'_>) -> Result<(), Fault> {
    part.take("file_id").map_or(Ok(()), |id| Err(Fault::unknown(id.at, NO_STATE)))
}

fn media<'a>(kind: MediaKind, source: Source<'a>, label: Option<Text<'a>>) -> Part<'a> {
    Part::Media(Media { kind, source, label, cache: None, extra: Vec::new() })
}

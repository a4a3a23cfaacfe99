use serde_json::{Value, json};

use super::{HAIKU, refused, sent, text};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUg==";
const JPEG: &str = "/9j/4AAQSkZJRg==";
const PDF: &str = "JVBERi0xLjQK";

/// The blocks that a user's parts become.
fn blocks(parts: &Value) -> Value {
    sent(HAIKU, &json!({"messages": [{"role": "user", "content": parts}]}))["messages"][0]["content"].clone()
}

fn image(url: &str) -> Value {
    json!([{"type": "image_url", "image_url": {"url": url, "detail": "low"}}])
}

fn base64(kind: &str, media_type: &str, data: &str) -> Value {
    json!([{"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}])
}

#[test]
fn a_data_url_becomes_base64_with_the_real_media_type() {
    let rows = [
        ("image/png", PNG, "image/png"),
        ("image/jpeg", PNG, "image/png"),
        ("image/jpg", JPEG, "image/jpeg"),
        ("image/png", "R0lGODlhAQAB", "image/gif"),
        ("image/png", "UklGRiQAAABXRUJQ", "image/webp"),
        ("image/webp", "bm90IGtub3du", "image/webp"),
        ("image/png;charset=x", PNG, "image/png"),
    ];
    for (named, data, real) in rows {
        assert_eq!(blocks(&image(&format!("data:{named};base64,{data}"))), base64("image", real, data), "{named}");
    }
}

#[test]
fn an_https_url_becomes_a_url_source_and_is_never_fetched() {
    let url = "https://example.com/a.png?b=c";
    assert_eq!(blocks(&image(url)), json!([{"type": "image", "source": {"type": "url", "url": url}}]));
    assert_eq!(
        blocks(&json!([{"type": "image_url", "image_url": url}])),
        blocks(&image(url)),
        "some send a bare string"
    );
}

#[test]
fn a_pdf_becomes_a_document() {
    let file = |data: &str| json!([{"type": "file", "file": {"filename": "a.pdf", "file_data": data}}]);
    let mut document = base64("document", "application/pdf", PDF);
    assert_eq!(blocks(&image(&format!("data:application/pdf;base64,{PDF}"))), document);
    document[0]["title"] = json!("a.pdf");
    assert_eq!(blocks(&file(&format!("data:application/pdf;base64,{PDF}"))), document);
    assert_eq!(blocks(&file(PDF)), document, "bare base64 is told by its first bytes");
}

#[test]
fn a_text_file_becomes_a_document_of_text() {
    let parts = json!([{"type": "file", "file": {"file_data": "data:text/csv;base64,YSxiCg=="}}]);
    let source = json!({"type": "text", "media_type": "text/plain", "data": "a,b\n"});
    assert_eq!(blocks(&parts), json!([{"type": "document", "source": source}]));
}

#[test]
fn data_that_anthropic_does_not_take_is_refused() {
    let parts = |parts: Value| json!({"messages": [{"role": "user", "content": parts}]});
    let svg = refused(HAIKU, &parts(image("data:image/svg+xml;base64,PHN2Zz4=")));
    assert_eq!((svg.status(), svg.param()), (422, Some("messages")));
    let plain = refused(HAIKU, &parts(image("data:image/png,abc")));
    assert_eq!((plain.status(), plain.param()), (400, Some("messages[0].content[0].image_url.url")));
    let by_id = refused(HAIKU, &parts(json!([{"type": "file", "file": {"file_id": "file-1"}}])));
    assert_eq!((by_id.status(), by_id.param()), (422, Some("messages[0]")));
}

#[test]
fn a_tool_result_may_hold_pictures() {
    let parts =
        json!([text("see"), {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}}]);
    let messages = json!([{"role": "user", "content": "q"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c", "content": parts}]);
    let seen = sent(HAIKU, &json!({"messages": messages}))["messages"][2]["content"][0]["content"].clone();
    assert_eq!(seen, json!([text("see"), base64("image", "image/png", PNG)[0]]));
}

#[test]
fn cache_control_passes_at_most_4_times() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let marked = |words: &str| json!({"type": "text", "text": words, "cache_control": mark});
    let tool = json!({"type": "function", "function": {"name": "f"}, "cache_control": mark});
    let request = json!({"messages": [{"role": "system", "content": [marked("s")]},
        {"role": "user", "content": [marked("a"), marked("b")]}], "tools": [tool]});
    let body = sent(HAIKU, &request);
    for marked in
        [&body["system"][0], &body["messages"][0]["content"][0], &body["messages"][0]["content"][1], &body["tools"][0]]
    {
        assert_eq!(marked["cache_control"], mark);
    }
    let parts: Vec<Value> = (0..6).map(|_| marked("a")).collect();
    assert_eq!(blocks(&json!(parts)).to_string().matches("cache_control").count(), 4);
}

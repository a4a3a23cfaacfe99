//! Requests with all that the dialect has, through the neutral form and back.

use super::*;

fn back(request: &Value) -> Value {
    let body = request.to_string();
    let schemas = Schemas::of(body.as_bytes());
    let parsed = parse_request(body.as_bytes(), &schemas).expect("must parse");
    let model = "gemini-3-flash-preview";
    let facts = Facts::of(Provider::Gemini, model);
    let target = Target { dialect: Dialect::Gemini, model, facts, ask_for_usage: false };
    let emitted = gemini::emit_request(&parsed, &target).expect("must be sayable");
    serde_json::from_slice(&emitted.body).expect("must be JSON")
}

fn contents() -> Value {
    json!([
        {"role": "user", "parts": [
            {"text": "Look.\n"}, {"text": "", "novel": 1},
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo-_w", "displayName": "a"}, "mediaResolution": {"level": "HIGH"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
            {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a", "novel": {}}, "videoMetadata": {"fps": 1.50}},
            {"fileData": {"fileUri": "https://example.com/a.pdf"}},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1"}},
            {"fileData": {"fileUri": "gs://b/a.mp4"}}]},
        {"role": "model", "parts": [{"text": "hm", "thought": true, "thoughtSignature": "QUJD"}, {"text": "so", "thought": true}]},
        {"role": "model", "parts": [
            {"text": "So:", "thoughtSignature": "QUJD"}, {"thoughtSignature": "QUJD"}, {"executableCode": {"code": "1"}},
            {"functionCall": {"name": "f", "args": {"n": 1e2, "s": "\u{1F600}"}}, "thoughtSignature": "QUJD"},
            {"functionCall": {"id": "x1", "name": "f", "args": {}, "novel": true}}]},
        {"role": "user", "parts": [
            {"text": "first"},
            {"functionResponse": {"name": "f", "response": {"result": "one"}}},
            {"functionResponse": {"id": "x1", "name": "f", "response": {"a": [1]}, "scheduling": "SILENT",
                "parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBO"}}]}}]},
        {"role": "user", "parts": []},
    ])
}

#[test]
fn a_rich_request_of_gemini_s_comes_back_as_it_was() {
    let schema =
        json!({"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": true}}, "propertyOrdering": ["a"]});
    let request = json!({
        "systemInstruction": {"role": "system", "parts": [{"text": "é"}, {"text": "b"}]},
        "contents": contents(),
        "tools": [{"googleSearch": {}, "urlContext": {"x": 1}}, {"functionDeclarations": [
            {"name": "f", "description": "", "parameters": schema, "response": schema, "behavior": "BLOCKING"},
            {"name": "g", "parametersJsonSchema": {"type": "object"}}, {"name": "h"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"], "novel": 1},
            "retrievalConfig": {"languageCode": "de"}},
        "generationConfig": {"maxOutputTokens": 9, "temperature": 0.50, "topP": 1, "topK": 40, "candidateCount": 2,
            "stopSequences": ["END"], "seed": 7, "presencePenalty": 0.5, "responseLogprobs": true, "logprobs": 3,
            "responseMimeType": "application/json", "responseSchema": schema, "novel": {"a": []},
            "thinkingConfig": {"thinkingBudget": 512, "includeThoughts": false, "novel": 1}},
        "safetySettings": [{"category": "x", "threshold": "y"}], "cachedContent": "cachedContents/1",
        "labels": {"generationConfig.seed": "x"}, "serviceTier": "flex", "store": false,
    });
    assert_eq!(back(&request), request);
}

#[test]
fn other_settings_come_back_as_they_were() {
    for config in [
        json!({"thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": true}}),
        json!({"thinkingConfig": {"includeThoughts": true}}),
        json!({"thinkingConfig": {"thinkingBudget": -1}}),
        json!({"thinkingConfig": {"thinkingBudget": 0}}),
        json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}),
        json!({"responseMimeType": "application/json"}),
        json!({"responseMimeType": "text/plain", "responseModalities": ["TEXT"]}),
    ] {
        let request = with(&json!({"generationConfig": config}));
        assert_eq!(back(&request), request);
    }
    for calling in [json!({"mode": "ANY"}), json!({"mode": "NONE"}), json!({"mode": "MODE_UNSPECIFIED"})] {
        let request = with(&json!({"toolConfig": {"functionCallingConfig": calling}}));
        assert_eq!(back(&request), request);
    }
}

#[test]
fn what_does_not_come_back_is_only_what_says_nothing() {
    let bare = json!({"system_instruction": {"parts": {"text": "a"}}, "contents": {"parts": {"text": "hi"}}, "tools": [],
        "generation_config": {"thinkingConfig": {}, "stopSequences": []}, "toolConfig": null, "model": "models/x"});
    let expected = json!({"systemInstruction": {"parts": [{"text": "a"}]}, "contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    assert_eq!(back(&bare), expected);
}

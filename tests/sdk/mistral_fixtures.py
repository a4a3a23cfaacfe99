"""What a fake Mistral can be told to answer, and what only Mistral has, read by the official mistralai SDK."""

import json

from mistralai.client import Mistral, errors

import checks

args = checks.arguments("base-url", "admin-url", "provider", "model")
admin = checks.Admin(args.admin_url)
client = Mistral(api_key="fake", server_url=args.base_url, timeout_ms=20_000)

HELLO = [{"role": "user", "content": "hello"}]
BOTH = [{"role": "user", "content": "get_weather and get_time in Lisbon, please"}]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ["get_weather", "get_time"]
]


def complete(**more):
    return client.chat.complete(**{"model": args.model, "messages": HELLO, **more})


def stream(**more):
    with client.chat.stream(**{"model": args.model, "messages": HELLO, **more}) as events:
        return [event.data for event in events]


def check_a_stream_has_its_usage_unasked():
    last = stream()[-1]
    assert last.choices[0].finish_reason == "stop" and last.usage == complete().usage, last


def check_ids_of_calls_have_nine_characters_and_streamed_calls_are_whole():
    whole = complete(messages=BOTH, tools=TOOLS).choices[0].message.tool_calls
    streamed = [call for chunk in stream(messages=BOTH, tools=TOOLS) for call in chunk.choices[0].delta.tool_calls or []]
    for calls in [whole, streamed]:
        assert [call.function.name for call in calls] == ["get_weather", "get_time"], calls
        assert all(len(call.id) == 9 and json.loads(call.function.arguments) == {} for call in calls), calls
    assert [call.index for call in streamed] == [0, 1], streamed


def check_reasoning_is_a_chunk_of_the_content():
    model = "magistral-medium-latest"
    thought, text = complete(model=model).choices[0].message.content
    assert (thought.type, text.type) == ("thinking", "text"), (thought, text)
    assert thought.thinking[0].text.startswith("The answer") and text.text.startswith("This is"), (thought, text)
    contents = [chunk.choices[0].delta.content for chunk in stream(model=model)]
    thoughts = [content[0].thinking[0].text for content in contents if isinstance(content, list)]
    assert "".join(thoughts) == thought.thinking[0].text, contents
    assert isinstance(complete(reasoning_effort="high").choices[0].message.content, list)


def check_pictures_and_documents_are_seen_by_their_url():
    url = "https://example.com/a.pdf"
    for kind in ["image_url", "document_url"]:
        answer = complete(messages=[{"role": "user", "content": [{"type": kind, kind: url}]}])
        assert answer.choices[0].message.content.endswith(f"You showed: {url}"), answer


def check_cached_tokens():
    for usage in [lambda: complete().usage, lambda: stream()[-1].usage]:
        admin.answer(args.provider, cached_tokens=2)
        assert usage().model_extra["prompt_tokens_details"] == {"cached_tokens": 2}


def check_prefix():
    messages = [*HELLO, {"role": "assistant", "content": "I would say", "prefix": True}]
    assert complete(messages=messages).choices[0].message.content.startswith("and so on")


def check_models_and_embeddings():
    assert args.model in [model.id for model in client.models.list().data]
    assert client.models.retrieve(model_id=args.model).capabilities.completion_chat
    embedded = client.embeddings.create(model="mistral-embed", inputs=["hello", "world"], output_dimension=4)
    assert [len(one.embedding) for one in embedded.data] == [4, 4], embedded


def check_errors_map_to_exceptions():
    expected = {
        "bad_key": (errors.SDKError, 401, "Unauthorized"),
        "forbidden": (errors.SDKError, 403, "Forbidden"),
        "unknown_model": (errors.SDKError, 400, "invalid_model"),
        "rate_limit": (errors.SDKError, 429, "1300"),
        "quota": (errors.SDKError, 429, "usage limit"),
        "context_length": (errors.SDKError, 400, "3051"),
        "content_filter": (errors.SDKError, 403, "guardrail"),
        "server_error": (errors.SDKError, 500, "3000"),
        "overloaded": (errors.SDKError, 503, "3505"),
    }
    for refusal, (kind, status, said) in expected.items():
        for call in [complete, stream]:
            admin.refuse(args.provider, refusal)
            error = checks.raises(kind, call)
            assert error.status_code == status and said in error.body, (refusal, error.body)


def check_bad_requests_are_refused():
    def status(**wrong):
        try:
            complete(**wrong)
        except errors.MistralError as error:
            return error.status_code, error.body
        raise AssertionError(f"{wrong} was taken")

    call = {"id": "call_1", "function": {"name": "get_time", "arguments": "{}"}}
    turn = [*BOTH, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_1", "content": ""}]
    assert status(messages=turn, tools=TOOLS)[0] == 400
    assert status(temperature=2)[0] == 422
    assert status(messages=[*HELLO, {"role": "assistant", "content": "I"}])[0] == 400
    code, body = status(tools=[{"type": "function", "function": {"name": "a b", "parameters": {}}}])
    assert code == 400 and "must be a-z" in body, body


def check_an_error_in_the_stream_is_seen():
    admin.break_at(args.provider, 2, {"error": "server_error"})
    # The SDK has no word for it: the event is no chunk.
    checks.raises(errors.ResponseValidationError, stream)


checks.run(globals())

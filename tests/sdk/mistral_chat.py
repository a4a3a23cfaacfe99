"""Chats with the official mistralai SDK against a fake Mistral, and what that can be told to answer."""

import base64
import json

from mistralai.client import Mistral, errors

import checks

args = checks.arguments("base-url", "admin-url", "provider", "model")
admin = checks.Admin(args.admin_url)
client = Mistral(api_key="fake", server_url=args.base_url, timeout_ms=20_000)

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello there, world"}]
ANSWER = f"This is {args.model} at {args.provider}."
GREETING = f"{ANSWER} You said: hello there, world"


def tool(name):
    properties = {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}}
    schema = {"type": "object", "properties": properties, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "description": "Of a city.", "parameters": schema}}


TOOLS = [tool("get_weather"), tool("get_time")]
BOTH = [{"role": "user", "content": "get_weather and get_time in Lisbon, please"}]
ARGUMENTS = {"city": "city", "unit": "celsius"}


def complete(**more):
    return client.chat.complete(**{"model": args.model, "messages": HELLO, **more})


def stream(**more):
    with client.chat.stream(**{"model": args.model, "messages": HELLO, **more}) as events:
        return [event.data for event in events]


def check_unary():
    answer = complete()
    [choice] = answer.choices
    assert answer.object == "chat.completion" and answer.model == args.model, answer
    assert choice.message.content == GREETING and choice.finish_reason == "stop", choice
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 5, usage


def check_max_tokens_and_stop():
    assert complete(max_tokens=3).choices[0].finish_reason == "length"
    assert complete(stop="there").choices[0].message.content == f"{ANSWER} You said: hello "


def check_stream():
    chunks = stream()
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == GREETING and chunks[0].choices[0].delta.role == "assistant", chunks
    assert chunks[-1].choices[0].finish_reason == "stop", chunks[-1]
    assert chunks[-1].usage == complete().usage, chunks[-1]


def assert_calls(calls):
    assert [call.function.name for call in calls] == ["get_weather", "get_time"], calls
    assert all(json.loads(call.function.arguments) == ARGUMENTS for call in calls), calls
    assert len({call.id for call in calls}) == 2 and all(len(call.id) == 9 for call in calls), calls


def second_turn(calls):
    results = {"get_weather": "18 degrees", "get_time": "noon"}
    answers = [
        {"role": "tool", "tool_call_id": c.id, "name": c.function.name, "content": results[c.function.name]}
        for c in calls
    ]
    return complete(messages=[*BOTH, {"role": "assistant", "tool_calls": calls}, *answers], tools=TOOLS)


def check_parallel_tools_over_two_turns():
    [choice] = complete(messages=BOTH, tools=TOOLS).choices
    assert choice.finish_reason == "tool_calls", choice
    assert_calls(choice.message.tool_calls)
    final = second_turn(choice.message.tool_calls)
    assert final.choices[0].message.content == f"{ANSWER} The tools said: 18 degrees; noon", final


def check_streamed_parallel_tools_over_two_turns():
    chunks = stream(messages=BOTH, tools=TOOLS)
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert_calls(calls)
    assert [call.index for call in calls] == [0, 1], calls
    final = second_turn(calls)
    assert final.choices[0].message.content == f"{ANSWER} The tools said: 18 degrees; noon", final


def check_tool_choice():
    def called(**more):
        message = complete(messages=BOTH, tools=TOOLS, **more).choices[0].message
        return [call.function.name for call in message.tool_calls or []]

    assert called(tool_choice="none") == []
    assert called(tool_choice="any") == called(tool_choice="required") == ["get_weather", "get_time"]
    assert called(tool_choice={"type": "function", "function": {"name": "get_time"}}) == ["get_time"]
    assert called(parallel_tool_calls=False) == ["get_weather"]


def check_structured_output():
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}}
    assert json.loads(complete(response_format=form).choices[0].message.content) == {"city": "city"}


def check_reasoning_is_a_chunk_of_the_content():
    model = "magistral-medium-latest"
    thought, text = complete(model=model).choices[0].message.content
    assert (thought.type, text.type) == ("thinking", "text"), (thought, text)
    assert thought.thinking[0].text.startswith("The answer") and text.text.startswith("This is"), (thought, text)
    contents = [chunk.choices[0].delta.content for chunk in stream(model=model)]
    thoughts = [content[0].thinking[0].text for content in contents if isinstance(content, list)]
    assert "".join(thoughts) == thought.thinking[0].text, contents
    assert isinstance(complete(reasoning_effort="high").choices[0].message.content, list)


def look(chunk):
    content = [{"type": "text", "text": "look"}, chunk]
    return complete(messages=[{"role": "user", "content": content}]).choices[0].message.content


def check_pictures_and_documents_are_seen():
    data = f"data:image/png;base64,{base64.b64encode(checks.PIXEL).decode()}"
    assert look({"type": "image_url", "image_url": data}) == f"{ANSWER} You said: look {checks.SHOWN}"
    assert look({"type": "image_url", "image_url": {"url": data}}).endswith(checks.SHOWN)
    url = "https://example.com/a.pdf"
    assert look({"type": "document_url", "document_url": url}).endswith(f"You showed: {url}")


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

"""Messages with the official anthropic SDK against a fake."""

import base64
import json
import warnings

import anthropic

import checks

args = checks.arguments("base-url", "admin-url", "provider", "model")
admin = checks.Admin(args.admin_url)
client = anthropic.Anthropic(base_url=args.base_url, api_key="sk-ant-fake", max_retries=0, timeout=20)
# Some of the models under test are old on purpose.
warnings.simplefilter("ignore", DeprecationWarning)

HELLO = [{"role": "user", "content": "hello there, world"}]
ANSWER = f"This is {args.model} at {args.provider}."
GREETING = f"{ANSWER} You said: hello there, world"


def tool(name):
    properties = {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}}
    return {"name": name, "input_schema": {"type": "object", "properties": properties, "required": ["city"]}}


TOOLS = [tool("get_weather"), tool("get_time")]
BOTH = [{"role": "user", "content": "get_weather and get_time in Lisbon, please"}]
INPUT = {"city": "city", "unit": "celsius"}


def create(**more):
    return client.messages.create(**{"model": args.model, "max_tokens": 2000, "messages": HELLO, **more})


def check_unary():
    answer = create(system="Be brief.")
    assert answer.type == "message" and answer.role == "assistant" and answer.model == args.model, answer
    assert [block.type for block in answer.content] == ["text"] and answer.content[0].text == GREETING, answer
    assert answer.stop_reason == "end_turn" and answer.stop_sequence is None, answer
    assert answer.usage.input_tokens == 5 and answer.usage.output_tokens == len(GREETING.split()), answer.usage


def check_max_tokens_and_stop_sequences():
    short = create(max_tokens=3)
    assert short.stop_reason == "max_tokens" and short.usage.output_tokens == 3, short
    stopped = create(stop_sequences=["world"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "world"), stopped


def check_stream():
    events = list(create(stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    assert text == GREETING, text
    assert events[-2].delta.stop_reason == "end_turn", events[-2]
    assert events[0].message.usage.input_tokens == 3, events[0]
    assert events[-2].usage.output_tokens == len(GREETING.split()), events[-2]


def check_stream_helper():
    with client.messages.stream(model=args.model, max_tokens=2000, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == GREETING and final.content[0].text == GREETING, final
    assert final.stop_reason == "end_turn" and final.usage.output_tokens == len(GREETING.split()), final


def second_turn(message, **more):
    results = {"get_weather": "18 degrees", "get_time": "noon"}
    blocks = [
        {"type": "tool_result", "tool_use_id": block.id, "content": results[block.name]}
        for block in message.content
        if block.type == "tool_use"
    ]
    turn = {"role": "assistant", "content": message.content}
    return create(messages=[*BOTH, turn, {"role": "user", "content": blocks}], tools=TOOLS, **more)


def assert_calls(message):
    calls = [block for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == "tool_use", message
    assert [(call.name, call.input) for call in calls] == [("get_weather", INPUT), ("get_time", INPUT)], calls
    assert len({call.id for call in calls}) == 2, calls


def check_parallel_tools_over_two_turns():
    answer = create(messages=BOTH, tools=TOOLS)
    assert_calls(answer)
    assert second_turn(answer).content[0].text == f"{ANSWER} The tools said: 18 degrees; noon"


def check_streamed_parallel_tools_over_two_turns():
    with client.messages.stream(model=args.model, max_tokens=2000, messages=BOTH, tools=TOOLS) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        answer = stream.get_final_message()
    assert len(pieces) > 6, pieces
    assert_calls(answer)
    assert second_turn(answer).content[0].text == f"{ANSWER} The tools said: 18 degrees; noon"


def check_one_call_when_parallel_use_is_off():
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    answer = create(messages=BOTH, tools=TOOLS, tool_choice=choice)
    assert [block.name for block in answer.content] == ["get_weather"], answer


def check_thinking_comes_first_with_a_signature():
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer = create(thinking=thinking)
    assert [block.type for block in answer.content] == ["thinking", "text"], answer
    assert answer.content[0].signature, answer
    with client.messages.stream(model=args.model, max_tokens=2000, messages=HELLO, thinking=thinking) as stream:
        streamed = stream.get_final_message()
    assert streamed.content[0].thinking == answer.content[0].thinking, streamed
    assert streamed.content[0].signature == answer.content[0].signature, streamed


def check_count_tokens_and_models():
    counted = client.messages.count_tokens(model=args.model, messages=HELLO)
    assert counted.input_tokens == create().usage.input_tokens
    assert args.model in [model.id for model in client.models.list()]
    assert client.models.retrieve(args.model).id == args.model


def look(source):
    content = [{"type": "text", "text": "look"}, {"type": "image", "source": source}]
    return create(messages=[{"role": "user", "content": content}])


def check_pictures_are_seen():
    data = base64.b64encode(checks.PIXEL).decode()
    seen = look({"type": "base64", "media_type": "image/png", "data": data})
    assert seen.content[0].text == f"{ANSWER} You said: look {checks.SHOWN}", seen
    seen = look({"type": "url", "url": "https://example.com/a.png"})
    assert seen.content[0].text.endswith("You showed: https://example.com/a.png"), seen
    broken = {"type": "base64", "media_type": "image/png", "data": "no picture"}
    checks.raises(anthropic.BadRequestError, lambda: look(broken))


def check_structured_output():
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
    answer = create(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert json.loads(answer.content[0].text) == {"city": "city"}, answer


def check_cached_tokens_are_not_input_tokens():
    for stream in [False, True]:
        admin.answer(args.provider, cached_tokens=1, cache_written_tokens=1)
        usage = final(stream).usage
        assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (1, 1, 1), usage


def final(stream):
    """The answer to the greeting, whole or put together from a stream."""
    if not stream:
        return create()
    with client.messages.stream(model=args.model, max_tokens=2000, messages=HELLO) as events:
        return events.get_final_message()


def check_refusals():
    for stream in [False, True]:
        admin.answer(args.provider, refusal="I will not.")
        answer = final(stream)
        assert (answer.stop_reason, answer.content) == ("refusal", []), answer
        assert answer.stop_details.explanation == "I will not.", answer
        admin.answer(args.provider, filtered="answer")
        answer = final(stream)
        assert answer.stop_reason == "refusal" and GREETING.startswith(answer.content[0].text), answer
        admin.answer(args.provider, filtered="prompt")
        answer = final(stream)
        assert (answer.stop_reason, answer.content) == ("refusal", []), answer


def check_text_comes_before_a_call():
    admin.answer(args.provider, text="Let me see.", calls=[{"name": "get_time", "arguments": '{"city": "Rome"}'}])
    answer = create(tools=TOOLS)
    assert [block.type for block in answer.content] == ["text", "tool_use"], answer
    assert answer.content[1].input == {"city": "Rome"}, answer


def check_errors_map_to_exceptions():
    expected = {
        "bad_key": (anthropic.AuthenticationError, "authentication_error"),
        "payment": (anthropic.PaymentRequiredError, "billing_error"),
        "forbidden": (anthropic.PermissionDeniedError, "permission_error"),
        "unknown_model": (anthropic.NotFoundError, "not_found_error"),
        "too_large": (anthropic.RequestTooLargeError, "request_too_large"),
        "rate_limit": (anthropic.RateLimitError, "rate_limit_error"),
        "context_length": (anthropic.BadRequestError, "invalid_request_error"),
        "content_filter": (anthropic.BadRequestError, "invalid_request_error"),
        "quota": (anthropic.BadRequestError, "invalid_request_error"),
        "server_error": (anthropic.InternalServerError, "api_error"),
        "timeout": (anthropic.DeadlineExceededError, "timeout_error"),
        "overloaded": (anthropic.OverloadedError, "overloaded_error"),
    }
    for refusal, (kind, name) in expected.items():
        admin.refuse(args.provider, refusal)
        error = checks.raises(kind, create)
        assert error.body["type"] == "error" and error.body["error"]["type"] == name, (refusal, error.body)
        assert error.request_id == error.body["request_id"], error.body


def check_bad_requests_are_refused():
    checks.raises(anthropic.NotFoundError, lambda: create(model="claude-none"))
    for wrong in [
        {"messages": []},
        {"max_tokens": 10_000_000},
        {"extra_body": {"seed": 1}},
        {"messages": [{"role": "assistant", "content": "I"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        {"tool_choice": {"type": "any"}},
        {"extra_body": {"temperature": 1.5}},
    ]:
        # Some of these are errors of the SDK's own types, and that is the point.
        checks.raises(anthropic.BadRequestError, lambda: create(**wrong))


def check_an_error_in_the_stream_is_raised():
    admin.once(args.provider, {"answer": {"broken": {"at": {"content": 2}, "how": {"error": "overloaded"}}}})
    try:
        list(create(stream=True))
    except anthropic.APIStatusError as error:
        assert error.body["error"]["type"] == "overloaded_error", error.body
    else:
        raise AssertionError("an error in the stream went unnoticed")


checks.run(globals())

"""Messages with the official anthropic SDK through the proxy, to any provider.

--answer is how every text of the provider under test begins.
--lacks names what the provider has not: one-call (it can't be held to one call), choice (it can't be made to call).
"""

import anthropic

import checks

args = checks.arguments("base-url", "key", "model", "answer", lacks="")
client = anthropic.Anthropic(base_url=args.base_url, api_key=args.key, max_retries=0, timeout=20)

HELLO = [{"role": "user", "content": "hello there, world"}]
GREETING = f"{args.answer} You said: hello there, world"


def tool(name):
    properties = {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}}
    schema = {"type": "object", "properties": properties, "required": ["city"]}
    return {"name": name, "description": "Of a city.", "input_schema": schema}


TOOLS = [tool("get_weather"), tool("get_time")]
BOTH = [{"role": "user", "content": "get_weather and get_time in Lisbon, please"}]
INPUT = {"city": "city", "unit": "celsius"}


def create(**more):
    return client.messages.create(**{"model": args.model, "max_tokens": 2000, "messages": HELLO, **more})


def assert_usage(usage):
    assert usage.input_tokens > 0 and usage.output_tokens > 0, usage


def check_unary():
    answer = create(system="Be brief.")
    assert answer.type == "message" and answer.role == "assistant" and answer.id and answer.model, answer
    assert [block.type for block in answer.content] == ["text"] and answer.content[0].text == GREETING, answer
    assert answer.stop_reason == "end_turn", answer
    assert_usage(answer.usage)


def check_max_tokens_ends_with_max_tokens():
    short = create(max_tokens=3)
    # Whoever reasons unasked has that counted too.
    thought = getattr(short.usage.output_tokens_details, "thinking_tokens", None) or 0
    assert short.stop_reason == "max_tokens" and short.usage.output_tokens - thought == 3, short


def check_stream():
    events = list(create(stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds
    assert kinds[1] == "content_block_start" and kinds[-3] == "content_block_stop", kinds
    text = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert "".join(text) == GREETING and len(text) > 3, text
    assert events[-2].delta.stop_reason == "end_turn", events[-2]
    assert events[-2].usage.output_tokens == create().usage.output_tokens, events[-2]


def check_stream_helper():
    with client.messages.stream(model=args.model, max_tokens=2000, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == GREETING and final.content[0].text == GREETING, final
    assert final.stop_reason == "end_turn", final
    assert final.usage.output_tokens > 0, final


def assert_calls(message, names):
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.name for call in calls] == names and all(call.input == INPUT for call in calls), message
    assert len({call.id for call in calls}) == len(names), message
    assert message.stop_reason == "tool_use", message


def second_turn(message, **more):
    results = {"get_weather": "18 degrees", "get_time": "noon"}
    blocks = [
        {"type": "tool_result", "tool_use_id": block.id, "content": results[block.name]}
        for block in message.content
        if block.type == "tool_use"
    ]
    turn = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]}
    return create(messages=[*BOTH, turn, {"role": "user", "content": blocks}], tools=TOOLS, **more)


def check_parallel_tools_over_two_turns():
    answer = create(messages=BOTH, tools=TOOLS)
    assert_calls(answer, ["get_weather", "get_time"])
    final = second_turn(answer)
    assert final.stop_reason == "end_turn", final
    assert final.content[0].text == f"{args.answer} The tools said: 18 degrees; noon", final


def check_streamed_parallel_tools_over_two_turns():
    with client.messages.stream(model=args.model, max_tokens=2000, messages=BOTH, tools=TOOLS) as stream:
        answer = stream.get_final_message()
    assert_calls(answer, ["get_weather", "get_time"])
    events = list(second_turn(answer, stream=True))
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    assert text == f"{args.answer} The tools said: 18 degrees; noon", text


def check_tool_choice():
    def create_both(**choice):
        return create(messages=BOTH, tools=TOOLS, tool_choice=choice)

    assert create_both(type="none").stop_reason == "end_turn"
    names = ["get_weather", "get_time"] if "one-call" in args.lacks else ["get_weather"]
    assert_calls(create_both(type="auto", disable_parallel_tool_use=True), names)
    if "choice" in args.lacks:
        error = checks.raises(anthropic.UnprocessableEntityError, lambda: create_both(type="any"))
        assert "tool_choice" in error.message, error
    else:
        assert_calls(create_both(type="tool", name="get_time"), ["get_time"])


def check_models_are_listed_page_by_page_and_described():
    models = list(client.models.list(limit=1))
    assert args.model in [model.id for model in models] and len(models) > 1, models
    model = client.models.retrieve(args.model)
    assert model.id == args.model and model.type == "model" and model.created_at and model.display_name, model


def check_errors_are_the_sdk_s_own():
    missing = checks.raises(anthropic.NotFoundError, lambda: create(model="nobody"))
    assert missing.body["error"]["type"] == "not_found_error", missing.body
    checks.raises(anthropic.BadRequestError, lambda: create(messages=[{"role": "user", "content": 7}], model=args.model))


checks.run(globals())

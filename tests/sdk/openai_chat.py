"""Chat completions with the official openai SDK: against a fake, or through the proxy to any provider.

--answer is how every text of the provider under test begins, --kind whose server it is: openai, azure or compatible.
--lacks names what the provider has not: one-call (it can't be held to one call), choice (it can't be made to call),
pieces (arguments come whole in a stream).
"""

import json

import openai

import checks

args = checks.arguments("base-url", "key", "model", "answer", kind="openai", lacks="")
client = checks.openai_client(args.kind, args.base_url, args.key)

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello there, world"}]
GREETING = f"{args.answer} You said: hello there, world"


def tool(name):
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": "Of a city.",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
                "required": ["city", "unit"],
                "additionalProperties": False,
            },
        },
    }


TOOLS = [tool("get_weather"), tool("get_time")]
ONE = [{"role": "user", "content": "get_weather in Lisbon, please"}]
BOTH = [{"role": "user", "content": "get_weather and get_time in Lisbon, please"}]
ARGUMENTS = {"city": "city", "unit": "celsius"}


def complete(**more):
    return client.chat.completions.create(model=args.model, **more)


def streamed(**more):
    """The chunks of a stream; Azure's begins with one about the prompt, in which there is nothing else."""
    chunks = list(complete(stream=True, **more))
    if "prompt_filter_results" in chunks[0].model_extra:
        assert chunks.pop(0).choices == []
    else:
        assert args.kind != "azure", chunks[0]
    return chunks


def assert_usage(usage):
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0, usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage


def check_unary():
    answer = complete(messages=HELLO)
    assert answer.object == "chat.completion" and answer.id and answer.created > 1_700_000_000, answer
    [choice] = answer.choices
    assert choice.index == 0 and choice.finish_reason == "stop", choice
    assert choice.message.role == "assistant" and choice.message.content == GREETING, choice
    assert choice.message.tool_calls is None, choice
    assert_usage(answer.usage)


def check_max_tokens_ends_with_length():
    answer = complete(messages=HELLO, max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length", answer
    # Whoever reasons unasked has that counted too.
    thought = getattr(answer.usage.completion_tokens_details, "reasoning_tokens", None) or 0
    assert answer.usage.completion_tokens - thought == 3, answer
    assert GREETING.startswith(answer.choices[0].message.content), answer


def check_stop_sequence():
    answer = complete(messages=HELLO, stop=["there"])
    assert answer.choices[0].finish_reason == "stop", answer
    assert answer.choices[0].message.content.strip() == f"{args.answer} You said: hello", answer


def check_stream():
    chunks = streamed(messages=HELLO)
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    assert len({(chunk.id, chunk.model, chunk.created) for chunk in chunks}) == 1, chunks
    assert all(chunk.choices for chunk in chunks), "a chunk that nobody asked for"
    assert chunks[0].choices[0].delta.role == "assistant", chunks[0]
    text = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert "".join(text) == GREETING and len(text) > 3, text
    finishes = [chunk.choices[0].finish_reason for chunk in chunks]
    assert finishes[-1] == "stop" and set(finishes[:-1]) == {None}, finishes


def check_stream_with_usage():
    chunks = streamed(messages=HELLO, stream_options={"include_usage": True})
    with_usage = [chunk for chunk in chunks if chunk.usage]
    assert with_usage == chunks[-1:], chunks[-2:]
    assert args.kind == "compatible" or chunks[-1].choices == [], chunks[-1]
    assert_usage(chunks[-1].usage)
    # A whole answer says its cost in a header.
    told = chunks[-1].usage.model_dump(exclude={"cost"})
    assert told == complete(messages=HELLO).usage.model_dump(), told


def check_stream_helper():
    with client.chat.completions.stream(model=args.model, messages=HELLO) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == GREETING, deltas
    assert final.choices[0].message.content == GREETING and final.choices[0].finish_reason == "stop", final


def check_raw_stream_ends_with_one_done():
    with client.chat.completions.with_streaming_response.create(
        model=args.model, messages=HELLO, stream=True
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream"), response.headers
        lines = [line for line in response.iter_lines() if line]
    assert lines.count("data: [DONE]") == 1 and lines[-1] == "data: [DONE]", lines[-3:]


def second_turn(messages, message, **more):
    results = {"get_weather": "18 degrees", "get_time": "noon"}
    answers = [
        {"role": "tool", "tool_call_id": call.id, "content": results[call.function.name]} for call in message.tool_calls
    ]
    turn = message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
    for call in turn["tool_calls"]:
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    return complete(messages=[*messages, turn, *answers], tools=TOOLS, **more)


def assert_calls(message, names):
    assert [call.function.name for call in message.tool_calls] == names, message
    assert all(call.type == "function" and call.id for call in message.tool_calls), message
    assert len({call.id for call in message.tool_calls}) == len(names), message
    assert all(json.loads(call.function.arguments) == ARGUMENTS for call in message.tool_calls), message


def check_tool_over_two_turns():
    answer = complete(messages=ONE, tools=TOOLS)
    assert answer.choices[0].finish_reason == "tool_calls", answer
    assert not answer.choices[0].message.content, answer
    assert_calls(answer.choices[0].message, ["get_weather"])
    final = second_turn(ONE, answer.choices[0].message)
    assert final.choices[0].finish_reason == "stop", final
    assert final.choices[0].message.content == f"{args.answer} The tools said: 18 degrees", final


def check_parallel_tools_over_two_turns():
    answer = complete(messages=BOTH, tools=TOOLS)
    assert_calls(answer.choices[0].message, ["get_weather", "get_time"])
    final = second_turn(BOTH, answer.choices[0].message)
    assert final.choices[0].message.content == f"{args.answer} The tools said: 18 degrees; noon", final


def check_parallel_calls_can_be_turned_off():
    answer = complete(messages=BOTH, tools=TOOLS, parallel_tool_calls=False)
    names = ["get_weather", "get_time"] if "one-call" in args.lacks else ["get_weather"]
    assert_calls(answer.choices[0].message, names)


def check_tool_choice():
    assert complete(messages=BOTH, tools=TOOLS, tool_choice="none").choices[0].message.tool_calls is None
    if "choice" in args.lacks:
        forced = lambda: complete(messages=ONE, tools=TOOLS, tool_choice="required")
        assert "tool_choice" in checks.raises(openai.UnprocessableEntityError, forced).message
        return
    named = {"type": "function", "function": {"name": "get_time"}}
    assert_calls(complete(messages=ONE, tools=TOOLS, tool_choice=named).choices[0].message, ["get_time"])
    assert_calls(complete(messages=HELLO, tools=TOOLS, tool_choice="required").choices[0].message, ["get_weather"])


def check_streamed_parallel_tools_over_two_turns():
    pieces = {}
    finish = None
    for chunk in streamed(messages=BOTH, tools=TOOLS):
        [choice] = chunk.choices
        finish = choice.finish_reason or finish
        for call in choice.delta.tool_calls or []:
            pieces.setdefault(call.index, []).append(call)
    assert finish == "tool_calls" and sorted(pieces) == [0, 1], pieces
    for index, name in enumerate(["get_weather", "get_time"]):
        first, *rest = pieces[index]
        assert first.id and first.type == "function" and first.function.name == name, first
        assert "pieces" in args.lacks or len(rest) > 2, rest
        assert not any(piece.id or piece.function.name for piece in rest), rest
        arguments = "".join(piece.function.arguments or "" for piece in pieces[index])
        assert json.loads(arguments) == ARGUMENTS, arguments


def check_stream_helper_with_tools_over_two_turns():
    with client.chat.completions.stream(model=args.model, messages=BOTH, tools=TOOLS) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        message = stream.get_final_completion().choices[0].message
    assert [event.name for event in done] == ["get_weather", "get_time"], done
    assert_calls(message, ["get_weather", "get_time"])
    chunks = second_turn(BOTH, message, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == f"{args.answer} The tools said: 18 degrees; noon", text


def check_models():
    assert args.model in [model.id for model in client.models.list()]


checks.run(globals())

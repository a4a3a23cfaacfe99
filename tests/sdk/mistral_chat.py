"""Chats with the official mistralai SDK: against a fake Mistral, or through the proxy to any provider.

--answer is how every text of the provider under test begins.
--lacks names what the provider has not: one-call (it can't be held to one call), choice (it can't be made to call),
pieces (arguments come whole in a stream).
"""

import base64
import json

from mistralai.client import Mistral, errors

import checks

args = checks.arguments("base-url", "key", "model", "answer", lacks="")
client = Mistral(api_key=args.key, server_url=args.base_url, timeout_ms=20_000)

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello there, world"}]
GREETING = f"{args.answer} You said: hello there, world"


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
    assert answer.object == "chat.completion" and answer.id and answer.model, answer
    assert choice.message.content == GREETING and choice.finish_reason == "stop", choice
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 5, usage


def check_max_tokens_and_stop():
    assert complete(max_tokens=3).choices[0].finish_reason == "length"
    assert complete(stop="there").choices[0].message.content.strip() == f"{args.answer} You said: hello"


def streamed(**more):
    """The choices of a stream: a chunk has one, but for Azure's first, which is about the prompt."""
    return [choice for chunk in stream(**more) for choice in chunk.choices]


def check_stream():
    choices = streamed()
    text = "".join(choice.delta.content or "" for choice in choices)
    assert text == GREETING and choices[0].delta.role == "assistant", choices
    assert choices[-1].finish_reason == "stop", choices[-1]


def assert_calls(calls):
    assert [call.function.name for call in calls] == ["get_weather", "get_time"], calls
    assert all(json.loads(call.function.arguments) == ARGUMENTS for call in calls), calls
    assert len({call.id for call in calls}) == 2, calls


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
    assert final.choices[0].message.content == f"{args.answer} The tools said: 18 degrees; noon", final


def check_streamed_parallel_tools_over_two_turns():
    if "pieces" not in args.lacks:
        # The SDK's type of a call has a name in every piece, which OpenAI's own streams do not have either.
        checks.raises(errors.ResponseValidationError, lambda: streamed(messages=BOTH, tools=TOOLS))
        return
    calls = [call for choice in streamed(messages=BOTH, tools=TOOLS) for call in choice.delta.tool_calls or []]
    assert_calls(calls)
    final = second_turn(calls)
    assert final.choices[0].message.content == f"{args.answer} The tools said: 18 degrees; noon", final


def called(**more):
    message = complete(messages=BOTH, tools=TOOLS, **more).choices[0].message
    return [call.function.name for call in message.tool_calls or []]


def check_tool_choice():
    assert called(tool_choice="none") == []
    if "choice" in args.lacks:
        error = checks.raises(errors.HTTPValidationError, lambda: called(tool_choice="any"))
        assert "tool_choice" in error.body, error
        return
    assert called(tool_choice="any")[0] == called(tool_choice="required")[0] == "get_weather"
    assert called(tool_choice={"type": "function", "function": {"name": "get_time"}}) == ["get_time"]


def check_parallel_calls_can_be_turned_off():
    names = ["get_weather", "get_time"] if "one-call" in args.lacks else ["get_weather"]
    assert called(parallel_tool_calls=False) == names


def check_structured_output():
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}}
    assert json.loads(complete(response_format=form).choices[0].message.content) == {"city": "city"}


def check_pictures_are_seen():
    data = f"data:image/png;base64,{base64.b64encode(checks.PIXEL).decode()}"
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": data}}]
    answer = complete(messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == f"{args.answer} You said: look {checks.SHOWN}", answer


def check_what_only_mistral_knows_stops_nothing():
    earlier = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Yes?", "prefix": False}]
    answer = complete(messages=[*earlier, *HELLO[1:]], random_seed=7, safe_prompt=False)
    assert answer.choices[0].message.content == GREETING, answer


checks.run(globals())

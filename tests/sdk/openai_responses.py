"""The Responses API with the official openai SDK: against the fake, or through the proxy to any provider.

--answer is how every text of the provider under test begins.
--lacks names what the provider has not: one-call (it can't be held to one call), choice (it can't be made to call).
"""

import json

import openai
import pydantic

import checks

args = checks.arguments("base-url", "key", "model", "answer", lacks="")
client = openai.OpenAI(base_url=args.base_url, api_key=args.key, max_retries=0, timeout=20)

GREETING = f"{args.answer} You said: hello there, world"
HELLO = {"instructions": "Be brief.", "input": "hello there, world"}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
ARGUMENTS = {"city": "city", "unit": "celsius"}
RESULTS = {"get_weather": "18 degrees", "get_time": "noon"}


def tool(name):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    }
    return {"type": "function", "name": name, "description": "Of a city.", "strict": True, "parameters": schema}


TOOLS = [tool("get_weather"), tool("get_time")]
BOTH = [{"role": "user", "content": "get_weather and get_time in Lisbon, please"}]


class Person(pydantic.BaseModel):
    name: str
    age: int


def respond(**more):
    return client.responses.create(model=args.model, store=False, **more)


def streamed(**more):
    with client.responses.stream(model=args.model, store=False, **more) as stream:
        events = list(stream)
        return events, stream.get_final_response()


def assert_whole(response):
    """What the SDK's own type demands of a response is there, and of the right type."""
    type(response).model_validate(response.model_dump(by_alias=True))
    assert response.object == "response" and response.id and response.created_at > 1_700_000_000, response
    assert response.error is None, response
    ids = [item.id for item in response.output]
    assert all(ids) and len(set(ids)) == len(ids), ids
    usage = response.usage
    assert usage.input_tokens > 0 and usage.total_tokens == usage.input_tokens + usage.output_tokens, usage
    assert usage.input_tokens_details.cached_tokens >= 0 and usage.output_tokens_details.reasoning_tokens >= 0, usage


def calls_of(response):
    return [item for item in response.output if item.type == "function_call"]


def assert_calls(response, names):
    calls = calls_of(response)
    assert [call.name for call in calls] == names, response.output
    assert len({call.call_id for call in calls}) == len(names), calls
    assert all(json.loads(call.arguments) == ARGUMENTS for call in calls), calls


def second_turn(response):
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": RESULTS[call.name]}
        for call in calls_of(response)
    ]
    return [*BOTH, *[item.to_dict() for item in response.output], *results]


def check_unary():
    response = respond(**HELLO)
    assert_whole(response)
    assert response.status == "completed" and response.output_text == GREETING, response


def check_a_list_of_messages():
    earlier = {"role": "assistant", "content": [{"type": "output_text", "text": "Yes?", "annotations": []}]}
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}, earlier]
    last = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello there, world"}]}
    assert respond(input=[*messages, last]).output_text == GREETING


def check_a_bound_ends_it_incomplete():
    response = respond(**HELLO, max_output_tokens=3)
    assert_whole(response)
    assert response.status == "incomplete" and response.incomplete_details.reason == "max_output_tokens", response
    events, final = streamed_raw(**HELLO, max_output_tokens=3)
    assert events[-1].type == "response.incomplete" and final.output_text == response.output_text, events[-1]


def streamed_raw(**more):
    events = list(respond(stream=True, **more))
    return events, events[-1].response


def check_stream():
    events, final = streamed_raw(**HELLO)
    assert_whole(final)
    assert [event.sequence_number for event in events] == list(range(len(events))), events
    assert [events[0].type, events[1].type] == ["response.created", "response.in_progress"], events[:2]
    assert events[-1].type == "response.completed", events[-1]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == GREETING == final.output_text and len(deltas) > 3, deltas
    assert {event.response.id for event in events if hasattr(event, "response")} == {final.id}


def check_stream_helper():
    events, final = streamed(**HELLO)
    assert_whole(final)
    [done] = [event.text for event in events if event.type == "response.output_text.done"]
    assert done == final.output_text == GREETING, done


def check_raw_stream_has_no_done():
    with client.responses.with_streaming_response.create(model=args.model, stream=True, **HELLO) as response:
        assert response.headers["content-type"].startswith("text/event-stream"), response.headers
        lines = [line for line in response.iter_lines() if line]
    assert not any("[DONE]" in line for line in lines), lines[-3:]
    assert lines[-2] == "event: response.completed", lines[-2:]


def check_tools_over_two_turns():
    response = respond(input=BOTH, tools=TOOLS)
    assert_whole(response)
    assert_calls(response, ["get_weather", "get_time"])
    final = respond(input=second_turn(response), tools=TOOLS)
    assert final.output_text == f"{args.answer} The tools said: 18 degrees; noon", final


def check_streamed_tools_over_two_turns():
    events, response = streamed(input=BOTH, tools=TOOLS)
    assert_calls(response, ["get_weather", "get_time"])
    done = [json.loads(event.arguments) for event in events if event.type == "response.function_call_arguments.done"]
    assert done == [ARGUMENTS, ARGUMENTS], done
    _, final = streamed(input=second_turn(response), tools=TOOLS)
    assert final.output_text == f"{args.answer} The tools said: 18 degrees; noon", final


def check_tool_choice():
    assert not calls_of(respond(input=BOTH, tools=TOOLS, tool_choice="none"))
    names = ["get_weather", "get_time"] if "one-call" in args.lacks else ["get_weather"]
    assert_calls(respond(input=BOTH, tools=TOOLS, parallel_tool_calls=False), names)
    named = {"type": "function", "name": "get_time"}
    if "choice" in args.lacks:
        error = checks.raises(
            openai.UnprocessableEntityError, lambda: respond(input=BOTH, tools=TOOLS, tool_choice=named)
        )
        assert "tool_choice" in error.message, error
    else:
        assert_calls(respond(input=BOTH, tools=TOOLS, tool_choice=named), ["get_time"])


def check_parse():
    response = client.responses.parse(model=args.model, input="Who is it?", text_format=Person)
    assert isinstance(response.output_parsed, Person), response
    with client.responses.stream(model=args.model, input="Who is it?", text_format=Person) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Person)


def check_image_input():
    parts = [{"type": "input_text", "text": "what is it?"}, {"type": "input_image", "image_url": PIXEL, "detail": "auto"}]
    response = respond(input=[{"role": "user", "content": parts}])
    assert response.output_text == f"{args.answer} You said: what is it? You showed: 68 bytes", response.output_text


def check_errors():
    orphan = [{"type": "function_call_output", "call_id": "call_x", "output": "18"}]
    error = checks.raises(openai.BadRequestError, lambda: respond(input=orphan))
    assert "call_x" in error.message and error.param.startswith("input"), error
    checks.raises(openai.NotFoundError, lambda: client.responses.create(model="nobody", input="hi"))
    checks.raises(openai.NotFoundError, lambda: client.responses.retrieve("resp_1"))


checks.run(globals())

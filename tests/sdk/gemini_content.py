"""Content with the official google-genai SDK: against a fake, or through the proxy to any provider.

--answer is how every text of the provider under test begins.
"""

import itertools

import pydantic
from google import genai
from google.genai import errors, types

import checks

args = checks.arguments("base-url", "key", "model", "answer")
client = genai.Client(api_key=args.key, http_options=types.HttpOptions(base_url=args.base_url, timeout=20_000))

HELLO = "hello there, world"
GREETING = f"{args.answer} You said: {HELLO}"
BOTH = "get_weather and get_time in Lisbon, please"
ARGS = {"city": "city", "unit": "celsius"}


def tool(name):
    properties = {
        "city": types.Schema(type="STRING"),
        "unit": types.Schema(type="STRING", enum=["celsius", "kelvin"]),
    }
    schema = types.Schema(type="OBJECT", properties=properties, required=["city", "unit"])
    return types.FunctionDeclaration(name=name, description="Of a city.", parameters=schema)


TOOLS = [types.Tool(function_declarations=[tool("get_weather"), tool("get_time")])]


def generate(contents=HELLO, **config):
    return client.models.generate_content(model=args.model, contents=contents, config=config)


def stream(contents=HELLO, **config):
    return list(client.models.generate_content_stream(model=args.model, contents=contents, config=config))


def assert_usage(usage):
    assert usage.prompt_token_count > 0 and usage.candidates_token_count > 0, usage
    parts = [usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count or 0]
    assert usage.total_token_count == sum(parts), usage


def check_unary():
    answer = generate(system_instruction="Be brief.")
    [candidate] = answer.candidates
    assert answer.text == GREETING and candidate.content.role == "model", answer
    assert candidate.finish_reason == types.FinishReason.STOP, answer
    assert answer.model_version and answer.response_id, answer
    assert_usage(answer.usage_metadata)


def check_max_tokens_and_stop_sequences():
    short = generate(max_output_tokens=3)
    assert short.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS, short
    assert GREETING.startswith(short.text), short
    stopped = generate(stop_sequences=["there"])
    assert stopped.text.strip() == f"{args.answer} You said: hello", stopped


def check_stream():
    chunks = stream()
    text = [chunk.text for chunk in chunks if chunk.text]
    assert "".join(text) == GREETING and len(text) > 3, text
    finishes = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates]
    assert [finish for finish in finishes if finish] == [types.FinishReason.STOP], finishes
    assert len({(chunk.response_id, chunk.model_version) for chunk in chunks}) == 1, chunks
    assert_usage(chunks[-1].usage_metadata)


def check_chat_goes_on():
    chat = client.chats.create(model=args.model)
    assert chat.send_message(HELLO).text == GREETING
    text = "".join(chunk.text or "" for chunk in chat.send_message_stream("go on"))
    assert text == f"{args.answer} You said: go on", text
    roles = [role for role, _ in itertools.groupby(content.role for content in chat.get_history(curated=True))]
    assert roles == ["user", "model", "user", "model"], roles
    assert chat.send_message("and on").text == f"{args.answer} You said: and on"


def assert_calls(calls, names):
    assert [call.name for call in calls] == names and all(call.args == ARGS for call in calls), calls


def second_turn(content, calls, generate):
    results = {"get_weather": "18 degrees", "get_time": "noon"}
    parts = [
        types.Part(function_response=types.FunctionResponse(id=c.id, name=c.name, response={"output": results[c.name]}))
        for c in calls
    ]
    contents = [types.UserContent(BOTH), content, types.UserContent(parts)]
    return generate(contents, tools=TOOLS)


def check_parallel_tools_over_two_turns():
    answer = generate(BOTH, tools=TOOLS)
    assert_calls(answer.function_calls, ["get_weather", "get_time"])
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP, answer
    final = second_turn(answer.candidates[0].content, answer.function_calls, generate)
    assert final.text == f"{args.answer} The tools said: 18 degrees; noon", final


def check_streamed_parallel_tools_over_two_turns():
    chunks = stream(BOTH, tools=TOOLS)
    parts = [part for chunk in chunks if chunk.candidates for part in chunk.candidates[0].content.parts or []]
    calls = [part.function_call for part in parts if part.function_call]
    assert_calls(calls, ["get_weather", "get_time"])
    content = types.ModelContent([part for part in parts if part.function_call])
    text = "".join(chunk.text or "" for chunk in second_turn(content, calls, stream))
    assert text == f"{args.answer} The tools said: 18 degrees; noon", text


def check_tool_choice():
    def called(mode, names=None):
        config = types.FunctionCallingConfig(mode=mode, allowed_function_names=names)
        return generate(BOTH, tools=TOOLS, tool_config=types.ToolConfig(function_calling_config=config)).function_calls

    assert not called("NONE")
    assert_calls(called("ANY", ["get_time"]), ["get_time"])
    assert_calls(called("ANY"), ["get_weather", "get_time"])


def check_functions_are_called_by_the_sdk_itself():
    asked = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "18 degrees"

    expected = f"{args.answer} The tools said: 18 degrees"
    chat = client.chats.create(model=args.model, config={"tools": [get_weather]})
    answer = chat.send_message("get_weather in Lisbon, please")
    assert asked == ["city"] and answer.text == expected, (asked, answer)
    chunks = chat.send_message_stream("get_weather in Lisbon, again")
    text = "".join(chunk.text or "" for chunk in chunks)
    assert asked == ["city", "city"] and text == expected, (asked, text)


class Weather(pydantic.BaseModel):
    city: str
    degrees: int


def check_structured_output():
    answer = generate(response_mime_type="application/json", response_schema=Weather)
    assert answer.parsed == Weather(city="city", degrees=7), answer
    schema = Weather.model_json_schema()
    answer = generate(response_mime_type="application/json", response_json_schema=schema)
    assert Weather.model_validate_json(answer.text) == Weather(city="city", degrees=7), answer


def check_pictures_are_seen():
    picture = types.Part.from_bytes(data=checks.PIXEL, mime_type="image/png")
    assert generate(["look", picture]).text == f"{args.answer} You said: look {checks.SHOWN}"


def check_errors_are_the_sdk_s_own():
    missing = checks.raises(
        errors.ClientError, lambda: client.models.generate_content(model="nobody", contents=HELLO)
    )
    assert (missing.code, missing.status) == (404, "NOT_FOUND"), missing


checks.run(globals())

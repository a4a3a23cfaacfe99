"""Generated content with the official google-genai SDK: against a fake, or through the proxy to any provider.

--answer is how every text of the provider under test begins. --kind is whose server it is: proxy or gemini.
--lacks names what the provider has not: choice (it can't be made to call).
"""

import json
import urllib.request
from typing import Literal

import pydantic
from google import genai
from google.genai import errors, types

import checks

args = checks.arguments("base-url", "key", "model", "answer", kind="proxy", lacks="")
client = genai.Client(api_key=args.key, http_options=types.HttpOptions(base_url=args.base_url, timeout=20_000))

HELLO = "hello there, world"
GREETING = f"{args.answer} You said: {HELLO}"
BOTH = "get_weather and get_time in Lisbon, please"
TOOLS_SAID = f"{args.answer} The tools said: 18 degrees; noon"


def get_weather(city: str, days: int) -> str:
    """The weather of a city."""
    assert (city, days) == ("city", 7), (city, days)
    return "18 degrees"


def get_time(city: str) -> str:
    """The time of a city."""
    assert city == "city", city
    return "noon"


def declared(name):
    city = types.Schema(type="STRING", description="Where.")
    unit = types.Schema(type="STRING", enum=["celsius", "kelvin"])
    parameters = types.Schema(type="OBJECT", properties={"city": city, "unit": unit}, required=["city"])
    return types.FunctionDeclaration(name=name, description="Of a city.", parameters=parameters)


TOOLS = [types.Tool(function_declarations=[declared("get_weather"), declared("get_time")])]


def generate(contents=HELLO, **config):
    model = config.pop("model", args.model)
    return client.models.generate_content(model=model, contents=contents, config=config or None)


def stream(contents=HELLO, **config):
    return list(client.models.generate_content_stream(model=args.model, contents=contents, config=config or None))


def assert_usage(usage):
    assert usage.prompt_token_count > 0 and usage.candidates_token_count > 0, usage
    written = usage.candidates_token_count + (usage.thoughts_token_count or 0)
    assert usage.total_token_count == usage.prompt_token_count + written, usage


def check_unary():
    answer = generate(system_instruction="Be brief.")
    [candidate] = answer.candidates
    assert candidate.content.role == "model" and answer.text == GREETING, answer
    assert candidate.finish_reason == types.FinishReason.STOP and candidate.index == 0, answer
    assert answer.response_id and answer.model_version, answer
    assert_usage(answer.usage_metadata)


def check_max_output_tokens_and_stop_sequences():
    short = generate(max_output_tokens=3)
    assert short.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS, short
    assert short.usage_metadata.candidates_token_count == 3, short
    stopped = generate(stop_sequences=["there"], temperature=0.5, top_k=40)
    assert stopped.text.strip() == f"{args.answer} You said: hello", stopped


def check_stream():
    chunks = stream()
    text = [chunk.text for chunk in chunks if chunk.text]
    assert "".join(text) == GREETING and len(text) > 3, text
    assert len({(chunk.response_id, chunk.model_version) for chunk in chunks}) == 1, chunks
    finishes = [chunk.candidates[0].finish_reason for chunk in chunks]
    assert finishes[-1] == types.FinishReason.STOP and set(finishes[:-1]) == {None}, finishes
    assert_usage(chunks[-1].usage_metadata)
    assert chunks[-1].usage_metadata == generate().usage_metadata, chunks[-1]


def check_stream_without_alt_sse_is_an_array():
    url = f"{args.base_url}/v1beta/models/{args.model}:streamGenerateContent"
    body = json.dumps({"contents": [{"parts": [{"text": HELLO}]}]}).encode()
    headers = {"content-type": "application/json", "x-goog-api-key": args.key}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as response:
        assert response.headers["content-type"].startswith("application/json"), response.headers
        items = [types.GenerateContentResponse.model_validate(item) for item in json.load(response)]
    assert "".join(item.text or "" for item in items) == GREETING, items
    assert items[-1].candidates[0].finish_reason == types.FinishReason.STOP, items[-1]


def check_chats():
    for send in [lambda chat, text: chat.send_message(text).text, streamed]:
        chat = client.chats.create(model=args.model)
        assert send(chat, HELLO) == GREETING
        assert send(chat, "and again") == f"{args.answer} You said: and again"
        said = [content.role for content in chat.get_history(curated=True)]
        assert said[0] == "user" and said.count("user") == 2 and said[-1] == "model", said


def streamed(chat, text):
    return "".join(chunk.text or "" for chunk in chat.send_message_stream(text))


def check_functions_are_called_automatically():
    answer = generate(BOTH, tools=[get_weather, get_time])
    assert answer.text == TOOLS_SAID, answer
    roles = [content.role for content in answer.automatic_function_calling_history]
    assert roles == ["user", "model", "user"], roles
    chunks = stream(BOTH, tools=[get_weather, get_time])
    assert "".join(chunk.text or "" for chunk in chunks) == TOOLS_SAID, chunks


def check_parallel_functions_over_two_turns():
    for ask in [generate, lambda *contents, **config: stream(*contents, **config)]:
        answers = ask(BOTH, tools=TOOLS)
        answers = answers if isinstance(answers, list) else [answers]
        calls = [call for answer in answers for call in answer.function_calls or []]
        assert [call.name for call in calls] == ["get_weather", "get_time"], answers
        assert all(call.args == {"city": "city", "unit": "celsius"} for call in calls), calls
        # The second generation has none.
        if "gemini-2" not in args.model:
            assert len({call.id for call in calls}) == 2 and all(call.id for call in calls), calls
        assert answers[-1].candidates[0].finish_reason == types.FinishReason.STOP, answers
        results = {"get_weather": "18 degrees", "get_time": "noon"}
        parts = [types.Part.from_function_response(name=c.name, response={"output": results[c.name]}) for c in calls]
        history = [types.UserContent(BOTH), *[answer.candidates[0].content for answer in answers]]
        final = generate([*history, types.UserContent(parts)], tools=TOOLS)
        assert final.text == TOOLS_SAID, final


def choose(mode, *names):
    calling = types.FunctionCallingConfig(mode=mode, allowed_function_names=list(names) or None)
    config = types.ToolConfig(function_calling_config=calling)
    answer = generate(BOTH, tools=TOOLS, tool_config=config)
    return [call.name for call in answer.function_calls or []]


def check_tool_config():
    assert choose("AUTO") == ["get_weather", "get_time"]
    assert choose("NONE") == []
    if "choice" in args.lacks:
        error = checks.raises(errors.ClientError, lambda: choose("ANY"))
        assert error.code == 422, error
    else:
        assert choose("ANY", "get_time") == ["get_time"]


def check_image():
    answer = generate([types.Part.from_bytes(data=checks.PIXEL, mime_type="image/png"), HELLO])
    assert answer.text == f"{GREETING} {checks.SHOWN}", answer


class City(pydantic.BaseModel):
    name: str
    unit: Literal["celsius", "kelvin"]


def check_schema():
    for schema in [{"response_schema": City}, {"response_json_schema": City.model_json_schema()}]:
        answer = generate(response_mime_type="application/json", **schema)
        assert City.model_validate_json(answer.text) == City(name="name", unit="celsius"), answer
    assert isinstance(generate(response_mime_type="application/json", response_schema=City).parsed, City)


def check_thoughts_come_back_signed_to_who_wrote_them():
    if "anthropic" not in args.answer:
        return
    thinking = types.ThinkingConfig(thinking_budget=1024, include_thoughts=True)
    chat = client.chats.create(model=args.model, config={"thinking_config": thinking, "tools": [get_weather, get_time]})
    assert chat.send_message(BOTH).text == TOOLS_SAID
    parts = [part for content in chat.get_history() for part in content.parts]
    assert any(part.thought and part.text and part.thought_signature for part in parts), parts
    chunks = list(chat.send_message_stream(BOTH))
    assert "".join(chunk.text or "" for chunk in chunks) == TOOLS_SAID, chunks


def check_models():
    names = [model.name for model in client.models.list(config={"page_size": 1})]
    assert f"models/{args.model}" in names and len(names) > 1, names
    model = client.models.get(model=args.model)
    assert model.name == f"models/{args.model}" and "generateContent" in model.supported_actions, model


def check_errors_are_the_sdk_s_own():
    missing = checks.raises(errors.ClientError, lambda: generate(model="nobody"))
    assert (missing.code, missing.status) == (404, "NOT_FOUND"), missing
    wrong = checks.raises(errors.ClientError, lambda: generate(candidate_count=1000))
    assert (wrong.code, wrong.status) == (400, "INVALID_ARGUMENT"), wrong
    assert "candidateCount" in wrong.message, wrong
    if args.kind == "gemini":
        return
    state = checks.raises(errors.ClientError, lambda: generate(cached_content="cachedContents/1"))
    assert state.code == 422 and "cachedContent" in state.message, state


checks.run(globals())

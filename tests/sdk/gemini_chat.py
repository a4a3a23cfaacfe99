"""What only the proxy can show to the official google-genai SDK, whoever the provider is; gemini_content.py has the rest.

--answer is how every text of the provider under test begins.
"""

import json
import urllib.request

from google import genai
from google.genai import errors, types

import checks

args = checks.arguments("base-url", "key", "model", "answer")
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


def generate(contents=HELLO, **config):
    model = config.pop("model", args.model)
    return client.models.generate_content(model=model, contents=contents, config=config or None)


def stream(contents=HELLO, **config):
    return list(client.models.generate_content_stream(model=args.model, contents=contents, config=config or None))


def check_stream_without_alt_sse_is_an_array():
    url = f"{args.base_url}/v1beta/models/{args.model}:streamGenerateContent"
    body = json.dumps({"contents": [{"parts": [{"text": HELLO}]}]}).encode()
    headers = {"content-type": "application/json", "x-goog-api-key": args.key}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as response:
        assert response.headers["content-type"] == "application/json", response.headers
        candidates = [item["candidates"][0] for item in json.load(response)]
    parts = [part for candidate in candidates for part in candidate["content"].get("parts", [])]
    assert "".join(part["text"] for part in parts) == GREETING, candidates
    assert candidates[-1]["finishReason"] == "STOP", candidates


def check_functions_are_called_automatically():
    answer = generate(BOTH, tools=[get_weather, get_time])
    assert answer.text == TOOLS_SAID, answer
    roles = [content.role for content in answer.automatic_function_calling_history]
    assert roles == ["user", "model", "user"], roles
    chunks = stream(BOTH, tools=[get_weather, get_time])
    assert "".join(chunk.text or "" for chunk in chunks) == TOOLS_SAID, chunks


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
    state = checks.raises(errors.ClientError, lambda: generate(cached_content="cachedContents/1"))
    assert state.code == 422 and "cachedContent" in state.message, state


checks.run(globals())

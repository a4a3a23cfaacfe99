"""Above a limit of requests for each user: what the official SDKs are told.

--burst: so many requests of a user pass at once, and no other follows soon.
"""

import anthropic
import openai
from google import genai
from google.genai import errors, types

import checks

args = checks.arguments("base-url", "model", "burst")
burst = int(args.burst)

client = openai.OpenAI(base_url=f"{args.base_url}/v1", api_key="any", max_retries=0)
HELLO = [{"role": "user", "content": "hello"}]


def complete(user):
    raw = client.chat.completions.with_raw_response.create(model=args.model, messages=HELLO, user=user)
    assert raw.parse().choices[0].message.content
    return raw.headers


def check_openai():
    for left in reversed(range(burst)):
        headers = complete("alice")
        assert headers["x-ratelimit-remaining-requests"] == str(left), headers
        assert int(headers["x-ratelimit-remaining-tokens"]) > 0, headers
    error = checks.raises(openai.RateLimitError, lambda: complete("alice"))
    assert error.code == "rate_limit_exceeded" and "RateLimit default/per-user" in error.message, error
    assert int(error.response.headers["retry-after"]) > 0, error.response.headers
    assert error.response.headers["x-ratelimit-remaining-requests"] == "0", error.response.headers
    complete("bob")


def message(user):
    client = anthropic.Anthropic(base_url=args.base_url, api_key="any", max_retries=0)
    create = client.messages.with_raw_response.create
    raw = create(model=args.model, max_tokens=50, messages=HELLO, metadata={"user_id": user})
    assert raw.parse().content[0].text
    return raw.headers


def check_anthropic():
    for left in reversed(range(burst)):
        assert message("carol")["anthropic-ratelimit-requests-remaining"] == str(left)
    error = checks.raises(anthropic.RateLimitError, lambda: message("carol"))
    assert error.body["error"]["type"] == "rate_limit_error", error
    assert error.response.headers["anthropic-ratelimit-requests-reset"].endswith("Z"), error.response.headers


def check_gemini():
    # Its models alone would not keep it open.
    client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=args.base_url))
    models = client.models
    # It says no user, so it is its address.
    for _ in range(burst):
        assert models.generate_content(model=args.model, contents="hello").text
    error = checks.raises(errors.ClientError, lambda: models.generate_content(model=args.model, contents="hello"))
    assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED"), error


checks.run(globals())

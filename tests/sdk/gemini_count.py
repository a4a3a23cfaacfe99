"""Tokens counted with the official google-genai SDK, by the provider itself or through the proxy.

--counts says whether the provider behind counts tokens.
"""

from google import genai
from google.genai import errors, types

import checks

args = checks.arguments("base-url", "key", "model", "counts")
client = genai.Client(api_key=args.key, http_options=types.HttpOptions(base_url=args.base_url, timeout=20_000))


def count(contents, model=args.model):
    return client.models.count_tokens(model=model, contents=contents)


def check_a_conversation_is_counted():
    if args.counts == "yes":
        assert 0 < count("hello there").total_tokens < count("hello there, and how are you today?").total_tokens
        return
    error = checks.raises(errors.ClientError, lambda: count("hello there"))
    assert error.code == 422 and error.status == "INVALID_ARGUMENT", error


def check_an_unknown_model_is_refused():
    error = checks.raises(errors.ClientError, lambda: count("hello there", model="none"))
    assert error.code == 404 and error.status == "NOT_FOUND", error


checks.run(globals())

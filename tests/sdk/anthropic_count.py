"""Tokens counted with the official anthropic SDK, by the provider itself or through the proxy."""

import anthropic

import checks

args = checks.arguments("base-url", "key", "model")
client = anthropic.Anthropic(base_url=args.base_url, api_key=args.key, max_retries=0, timeout=20)

HELLO = [{"role": "user", "content": "hello there, world"}]
TOOL = {"name": "get_weather", "description": "Of a city.", "input_schema": {"type": "object"}}


def count(**more):
    return client.messages.count_tokens(**{"model": args.model, "messages": HELLO, **more}).input_tokens


def check_a_conversation_is_counted():
    assert count() > 0
    longer = [*HELLO, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "And how are you?"}]
    assert count(messages=longer) > count()


def check_system_text_and_tools_are_taken():
    assert count(system="Be brief and kind.", tools=[TOOL]) > count()


def check_a_bad_request_is_refused():
    checks.raises(anthropic.BadRequestError, lambda: count(messages=[{"role": "user", "content": 7}]))
    checks.raises(anthropic.NotFoundError, lambda: count(model="none"))


checks.run(globals())

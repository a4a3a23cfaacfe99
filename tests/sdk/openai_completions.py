"""Legacy completions with the official openai SDK, of the provider itself or through the proxy.

--answer is how every text of the provider under test begins.
"""

import openai

import checks

args = checks.arguments("base-url", "key", "model", "answer")
client = openai.OpenAI(base_url=args.base_url, api_key=args.key, max_retries=0, timeout=20)


def complete(**more):
    return client.completions.create(**{"model": args.model, "prompt": "hello there", "max_tokens": 200, **more})


def check_unary():
    answer = complete()
    assert answer.object == "text_completion" and answer.id and answer.model, answer
    [choice] = answer.choices
    assert choice.text.startswith(args.answer) and "hello there" in choice.text, answer
    assert choice.finish_reason == "stop", answer
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0, answer


def check_stream():
    chunks = list(complete(stream=True))
    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    assert text == complete().choices[0].text, text
    assert chunks[-1].choices[0].finish_reason == "stop", chunks
    assert all(chunk.usage is None for chunk in chunks), "nobody asked for it"


def check_usage_in_a_stream():
    last = list(complete(stream=True, stream_options={"include_usage": True}))[-1]
    assert last.choices == [] and last.usage.completion_tokens > 0, last


def check_several():
    assert [choice.index for choice in complete(n=2).choices] == [0, 1]
    ends = [choice for chunk in complete(n=2, stream=True) for choice in chunk.choices if choice.finish_reason]
    assert sorted(choice.index for choice in ends) == [0, 1], ends


def check_a_bound_is_kept():
    assert complete(max_tokens=2).choices[0].finish_reason == "length"


checks.run(globals())

"""A stream that dies after its first content is an exception of the official SDK, never a short answer."""

import openai

import checks

args = checks.arguments("base-url", "key", "model")
client = openai.OpenAI(base_url=args.base_url, api_key=args.key, max_retries=0, timeout=20)
HELLO = [{"role": "user", "content": "hello there"}]


def check_iteration_raises_after_the_content_that_came():
    seen = []

    def read():
        for chunk in client.chat.completions.create(model=args.model, messages=HELLO, stream=True):
            seen.append(chunk.choices[0].delta.content or "")

    error = checks.raises(openai.APIError, read)
    assert error.message, error
    assert "".join(seen) == "This is gpt-4o ", seen


def check_the_stream_helper_raises():
    def read():
        with client.chat.completions.stream(model=args.model, messages=HELLO) as stream:
            return stream.get_final_completion()

    checks.raises(openai.APIError, read)


checks.run(globals())

"""The proxy's own refusals are the official SDK's exceptions."""

import openai

import checks

args = checks.arguments("base-url", "model")
client = openai.OpenAI(base_url=args.base_url, api_key="any", max_retries=0, timeout=20)
HELLO = [{"role": "user", "content": "hello"}]


def create(**more):
    return client.chat.completions.create(**{"model": args.model, "messages": HELLO, **more})


def check_an_unknown_model_is_not_found():
    error = checks.raises(openai.NotFoundError, lambda: create(model="gpt-none"))
    assert error.code == "model_not_found" and error.param == "model", error


def check_an_unknown_path_is_not_found():
    checks.raises(openai.NotFoundError, client.files.list)


def check_state_is_unprocessable():
    content = [{"type": "file", "file": {"file_id": "file-1"}}]
    error = checks.raises(
        openai.UnprocessableEntityError, lambda: create(messages=[{"role": "user", "content": content}])
    )
    assert "file_id" in error.message, error


def check_an_encoded_body_is_refused():
    error = checks.raises(openai.APIStatusError, lambda: create(extra_headers={"content-encoding": "gzip"}))
    assert error.status_code == 415, error


checks.run(globals())

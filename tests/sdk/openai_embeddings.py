"""Embeddings with the official openai SDK, of the provider itself or through the proxy.

--tokens says whether the provider behind takes tokens in place of text.
"""

import openai

import checks

args = checks.arguments("base-url", "key", "model", "tokens")
client = openai.OpenAI(base_url=args.base_url, api_key=args.key, max_retries=0, timeout=20)

TEXTS = ["hello there", "Grüße aus Zürich"]


def embed(texts, **more):
    answer = client.embeddings.create(model=args.model, input=texts, **more)
    assert answer.object == "list" and answer.model, answer
    assert [one.index for one in answer.data] == list(range(len(answer.data))), answer
    assert all(one.object == "embedding" for one in answer.data), answer
    assert answer.usage.prompt_tokens == answer.usage.total_tokens >= 0, answer
    return [one.embedding for one in answer.data]


def check_the_sdk_s_own_base64_and_numbers_are_the_same_vectors():
    encoded, numbers = embed(TEXTS), embed(TEXTS, encoding_format="float")
    assert len(encoded) == 2 and len(encoded[0]) > 1 and encoded[0] != encoded[1], encoded
    assert all(isinstance(number, float) for vector in encoded for number in vector), encoded
    assert encoded == numbers, (encoded, numbers)


def check_asked_for_as_base64_by_name_it_is_a_string():
    raw = client.embeddings.with_raw_response.create(model=args.model, input=TEXTS[0], encoding_format="base64")
    assert '"embedding":"' in raw.text.replace(" ", ""), raw.text


def check_one_text_is_one_vector():
    assert embed(TEXTS[0]) == embed(TEXTS)[:1]


def check_dimensions():
    assert [len(vector) for vector in embed(TEXTS, dimensions=4)] == [4, 4]


def check_tokens():
    inputs = [[1, 22, 333]], [[1, 22], [333]]
    if args.tokens == "yes":
        assert [len(embed(tokens)) for tokens in inputs] == [1, 2]
        assert len(embed([1, 22, 333])) == 1
    else:
        for tokens in inputs:
            error = checks.raises(openai.UnprocessableEntityError, lambda: embed(tokens))
            assert error.param == "input", error


def check_a_bad_request_is_refused():
    error = checks.raises(openai.NotFoundError, lambda: client.embeddings.create(model="none", input="hello"))
    assert error.code == "model_not_found", error


checks.run(globals())

"""Vectors with the official google-genai SDK, of the provider itself or through the proxy."""

from google import genai
from google.genai import types

import checks

args = checks.arguments("base-url", "key", "model")
client = genai.Client(api_key=args.key, http_options=types.HttpOptions(base_url=args.base_url, timeout=20_000))


def embed(contents, **config):
    answer = client.models.embed_content(model=args.model, contents=contents, config=config)
    return [one.values for one in answer.embeddings]


def check_texts_have_vectors_in_their_order():
    one, other = embed("hello there"), embed("Grüße aus Zürich")
    assert len(one) == 1 and len(one[0]) > 1 and one != other, (one, other)
    assert embed(["hello there", "Grüße aus Zürich"]) == one + other


def check_dimensions():
    assert [len(vector) for vector in embed(["a", "b"], output_dimensionality=4)] == [4, 4]


def check_a_task_is_taken():
    assert len(embed("hello", task_type="RETRIEVAL_QUERY")) == 1


checks.run(globals())

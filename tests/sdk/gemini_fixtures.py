"""What a fake Gemini can be told to answer, and all else that it has, read by the official google-genai SDK."""

from google import genai
from google.genai import errors, types

import checks

args = checks.arguments("base-url", "admin-url", "provider", "model")
admin = checks.Admin(args.admin_url)
client = genai.Client(api_key="fake", http_options=types.HttpOptions(base_url=args.base_url, timeout=20_000))

GREETING = f"This is {args.model} at {args.provider}. You said: hello"


def generate(contents="hello", **config):
    return client.models.generate_content(model=args.model, contents=contents, config=config)


def stream(**config):
    return list(client.models.generate_content_stream(model=args.model, contents="hello", config=config))


def parts(chunks):
    return [part for chunk in chunks for part in chunk.candidates[0].content.parts]


def check_thoughts_come_first_and_only_when_asked_for():
    plain = generate()
    assert not [part for part in plain.candidates[0].content.parts if part.thought], plain
    assert plain.usage_metadata.thoughts_token_count > 0, plain.usage_metadata
    for got in [generate(thinking_config={"include_thoughts": True}).candidates[0].content.parts,
                parts(stream(thinking_config={"include_thoughts": True}))]:
        thoughts = [bool(part.thought) for part in got]
        assert thoughts[0] and not thoughts[-1] and thoughts == sorted(thoughts, reverse=True), got


def check_calls_of_the_third_generation_are_signed_and_have_ids():
    admin.answer(args.provider, calls=[{"name": "a", "arguments": "{}"}, {"name": "b", "arguments": "{}"}])
    first, second = generate().candidates[0].content.parts
    assert first.thought_signature and not second.thought_signature, (first, second)
    assert first.function_call.id and first.function_call.id != second.function_call.id, (first, second)
    unsigned = types.ModelContent(types.Part(function_call=types.FunctionCall(name="a", args={})))
    response = types.UserContent(types.Part.from_function_response(name="a", response={"output": "ok"}))
    contents = [types.UserContent("hello"), unsigned, response]
    error = checks.raises(errors.ClientError, lambda: generate(contents))
    assert "thought_signature" in error.message, error


def check_cached_tokens_are_in_the_prompt():
    for call in [lambda: generate(), lambda: stream()[-1]]:
        admin.answer(args.provider, cached_tokens=1)
        usage = call().usage_metadata
        assert (usage.prompt_token_count, usage.cached_content_token_count) == (1, 1), usage


def check_a_blocked_prompt_has_no_candidates():
    for call in [lambda: generate(), lambda: stream()[0]]:
        admin.answer(args.provider, filtered="prompt")
        answer = call()
        assert answer.prompt_feedback.block_reason == types.BlockedReason.SAFETY, answer
        assert not answer.candidates and answer.text is None, answer


def check_a_blocked_answer_stops_for_safety():
    for call in [lambda: generate(), lambda: stream()[-1]]:
        admin.answer(args.provider, filtered="answer")
        [candidate] = call().candidates
        assert candidate.finish_reason == types.FinishReason.SAFETY, candidate
        assert any(rating.blocked for rating in candidate.safety_ratings), candidate
    admin.answer(args.provider, refusal="I will not.")
    assert generate().text == "I will not."


def check_a_call_that_went_wrong():
    admin.answer(args.provider, text="", finish="MALFORMED_FUNCTION_CALL")
    assert generate().candidates[0].finish_reason == types.FinishReason.MALFORMED_FUNCTION_CALL


def check_tokens_models_and_embeddings():
    counted = client.models.count_tokens(model=args.model, contents="hello there")
    assert counted.total_tokens == 2, counted
    assert f"models/{args.model}" in [model.name for model in client.models.list()]
    assert client.models.get(model=args.model).thinking
    model = "gemini-embedding-001"
    config = types.EmbedContentConfig(output_dimensionality=4)
    embedded = client.models.embed_content(model=model, contents=["hello", "world"], config=config)
    assert [len(one.values) for one in embedded.embeddings] == [4, 4], embedded
    assert embedded.embeddings[0].values != embedded.embeddings[1].values, embedded


def check_several_candidates():
    assert [candidate.index for candidate in generate(candidate_count=2).candidates] == [0, 1]


def check_errors_map_to_exceptions():
    expected = {
        "missing_key": (errors.ClientError, 403, "PERMISSION_DENIED"),
        "bad_key": (errors.ClientError, 400, "INVALID_ARGUMENT"),
        "forbidden": (errors.ClientError, 403, "PERMISSION_DENIED"),
        "payment": (errors.ClientError, 400, "FAILED_PRECONDITION"),
        "unknown_model": (errors.ClientError, 404, "NOT_FOUND"),
        "conflict": (errors.ClientError, 409, "ABORTED"),
        "rate_limit": (errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        "quota": (errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        "context_length": (errors.ClientError, 400, "INVALID_ARGUMENT"),
        "too_large": (errors.ClientError, 400, "INVALID_ARGUMENT"),
        "server_error": (errors.ServerError, 500, "INTERNAL"),
        "unavailable": (errors.ServerError, 503, "UNAVAILABLE"),
        "timeout": (errors.ServerError, 504, "DEADLINE_EXCEEDED"),
    }
    for refusal, (kind, code, status) in expected.items():
        for call in [generate, stream]:
            admin.refuse(args.provider, refusal)
            error = checks.raises(kind, call)
            assert (error.code, error.status) == (code, status) and error.message, (refusal, error)


def details(refusal):
    admin.refuse(args.provider, refusal)
    error = checks.raises(errors.ClientError, generate)
    return {detail["@type"].rsplit(".", 1)[1]: detail for detail in error.details["error"]["details"]}


def check_details_say_what_the_status_does_not():
    assert details("bad_key")["ErrorInfo"]["reason"] == "API_KEY_INVALID"
    assert details("rate_limit")["RetryInfo"]["retryDelay"] == "2.5s"
    assert "PerDay" in details("quota")["QuotaFailure"]["violations"][0]["quotaId"]


def check_bad_requests_are_refused():
    for wrong in [
        {"temperature": 3},
        {"thinking_config": {"thinking_budget": 10, "thinking_level": "LOW"}},
        {"response_schema": {"type": "OBJECT"}},
        {"stop_sequences": list("abcdef")},
    ]:
        error = checks.raises(errors.ClientError, lambda: generate(**wrong))
        assert error.status == "INVALID_ARGUMENT", error
    unknown = {"http_options": {"extra_body": {"messages": []}}}
    error = checks.raises(errors.ClientError, lambda: generate(**unknown))
    assert 'Unknown name "messages"' in error.message, error


def check_keys_can_be_named():
    admin.call("POST", "/_admin/keys", {"provider": args.provider, "keys": ["another"]})
    error = checks.raises(errors.ClientError, generate)
    assert "API key not valid" in error.message, error
    admin.call("POST", "/_admin/keys", {"provider": args.provider, "keys": None})
    assert generate().text == GREETING


def check_an_error_in_the_stream_is_raised():
    admin.break_at(args.provider, 2, {"error": "unavailable"})
    error = checks.raises(errors.ServerError, stream)
    assert error.status == "UNAVAILABLE", error


checks.run(globals())

"""Every way in which a fake OpenAI fails is the official SDK's exception for it."""

import openai

import checks

args = checks.arguments("base-url", "admin-url", "provider")
admin = checks.Admin(args.admin_url)
client = openai.OpenAI(base_url=args.base_url, api_key="sk-fake", max_retries=0, timeout=20)

HELLO = [{"role": "user", "content": "hello"}]


def complete(**more):
    return client.chat.completions.create(**{"model": "gpt-4o", "messages": HELLO, **more})


def check_errors_map_to_exceptions():
    expected = {
        "bad_key": (openai.AuthenticationError, "invalid_api_key"),
        "forbidden": (openai.PermissionDeniedError, "unsupported_country_region_territory"),
        "unknown_model": (openai.NotFoundError, "model_not_found"),
        "rate_limit": (openai.RateLimitError, "rate_limit_exceeded"),
        "quota": (openai.RateLimitError, "insufficient_quota"),
        "context_length": (openai.BadRequestError, "context_length_exceeded"),
        "content_filter": (openai.BadRequestError, "content_filter"),
        "server_error": (openai.InternalServerError, None),
        "unavailable": (openai.InternalServerError, None),
    }
    for refusal, (kind, code) in expected.items():
        admin.refuse(args.provider, refusal)
        error = checks.raises(kind, complete)
        assert error.code == code and error.message, (refusal, error)
        assert error.request_id.startswith("req_"), error


def check_bad_requests_are_refused():
    checks.raises(openai.NotFoundError, lambda: complete(model="gpt-none"))
    checks.raises(openai.BadRequestError, lambda: complete(messages=[]))
    error = checks.raises(openai.BadRequestError, lambda: complete(model="o3-mini", max_tokens=5))
    assert error.param == "max_tokens", error
    orphan = [*HELLO, {"role": "tool", "tool_call_id": "call_1", "content": "18"}]
    checks.raises(openai.BadRequestError, lambda: complete(messages=orphan))


def check_keys_can_be_named():
    admin.call("POST", "/_admin/keys", {"provider": args.provider, "keys": ["sk-other"]})
    checks.raises(openai.AuthenticationError, complete)
    admin.call("POST", "/_admin/keys", {"provider": args.provider, "keys": None})
    complete()


def check_connection_failures():
    for action in ["reset", "close"]:
        admin.once(args.provider, action)
        checks.raises(openai.APIConnectionError, complete)
    admin.call("POST", "/_admin/connections", {"provider": args.provider, "accept": False})
    checks.raises(openai.APIConnectionError, complete)
    admin.call("POST", "/_admin/connections", {"provider": args.provider, "accept": True})
    complete()


def check_a_hang_times_out():
    patient = client.with_options(timeout=0.5)
    for action in ["hang", {"answer": {"broken": {"at": {"events": 0}, "how": "stall"}}}]:
        admin.once(args.provider, action)
        checks.raises(openai.APITimeoutError, lambda: patient.chat.completions.create(model="gpt-4o", messages=HELLO))


def streamed(action):
    admin.once(args.provider, action)
    return [chunk.choices[0].delta.content for chunk in complete(stream=True)]


def broken(at, how):
    return {"answer": {"broken": {"at": at, "how": how}}}


def check_an_error_in_the_stream_is_raised():
    error = checks.raises(openai.APIError, lambda: streamed(broken({"content": 2}, {"error": "server_error"})))
    assert "had an error" in error.message, error


def check_a_cut_stream_is_noticed_and_a_short_one_is_not():
    kinds = (openai.APIConnectionError, openai.APIError)
    for how in ["close", "reset"]:
        try:
            streamed(broken({"content": 2}, how))
        except kinds:
            continue
        raise AssertionError(f"{how} went unnoticed")
    text = "".join(piece or "" for piece in streamed(broken({"content": 2}, "end")))
    assert text == "This is ", text


def check_odd_borders_change_nothing():
    plain = streamed({"answer": {"text": "Grüße aus Zürich, 東京 🙂 und anderswo"}})
    cut = streamed({"answer": {"text": "Grüße aus Zürich, 東京 🙂 und anderswo", "split_bytes": 3}})
    assert cut == plain and "🙂 " in plain, cut


checks.run(globals())

"""Every way in which a fake that speaks as OpenAI does fails is the official SDK's exception for it.

--kind is whose server it is: openai, azure or compatible.
"""

import openai

import checks

args = checks.arguments("base-url", "admin-url", "provider", "model", kind="openai")
admin = checks.Admin(args.admin_url)
client = checks.openai_client(args.kind, args.base_url, "sk-fake")

HELLO = [{"role": "user", "content": "hello"}]


def complete(**more):
    return client.chat.completions.create(**{"model": args.model, "messages": HELLO, **more})


EXPECTED = {
    "openai": {
        "bad_key": (openai.AuthenticationError, "invalid_api_key"),
        "forbidden": (openai.PermissionDeniedError, "unsupported_country_region_territory"),
        "unknown_model": (openai.NotFoundError, "model_not_found"),
        "unknown_path": (openai.NotFoundError, None),
        "conflict": (openai.ConflictError, "conflict"),
        "rate_limit": (openai.RateLimitError, "rate_limit_exceeded"),
        "quota": (openai.RateLimitError, "insufficient_quota"),
        "payment": (openai.RateLimitError, "billing_not_active"),
        "context_length": (openai.BadRequestError, "context_length_exceeded"),
        "content_filter": (openai.BadRequestError, "content_filter"),
        "server_error": (openai.InternalServerError, None),
        "unavailable": (openai.InternalServerError, None),
        "overloaded": (openai.InternalServerError, None),
    },
    "azure": {
        "bad_key": (openai.AuthenticationError, "401"),
        "forbidden": (openai.PermissionDeniedError, "403"),
        "unknown_model": (openai.NotFoundError, "DeploymentNotFound"),
        "unknown_path": (openai.NotFoundError, "404"),
        "rate_limit": (openai.RateLimitError, "429"),
        "quota": (openai.RateLimitError, "insufficient_quota"),
        "context_length": (openai.BadRequestError, "context_length_exceeded"),
        "content_filter": (openai.BadRequestError, "content_filter"),
        "server_error": (openai.InternalServerError, "InternalServerError"),
        "timeout": (openai.InternalServerError, "Timeout"),
        "unavailable": (openai.InternalServerError, None),
    },
    "compatible": {
        "bad_key": (openai.AuthenticationError, "invalid_request_error"),
        "payment": (openai.APIStatusError, "invalid_request_error"),
        "unknown_model": (openai.NotFoundError, "invalid_request_error"),
        "rate_limit": (openai.RateLimitError, "rate_limit_exceeded"),
        "content_filter": (openai.BadRequestError, "invalid_request_error"),
        "server_error": (openai.InternalServerError, None),
        "overloaded": (openai.InternalServerError, "service_unavailable_error"),
    },
}


def check_errors_map_to_exceptions():
    for refusal, (kind, code) in EXPECTED[args.kind].items():
        admin.refuse(args.provider, refusal)
        error = checks.raises(kind, complete)
        assert error.code == code and error.message, (refusal, error)
        assert args.kind == "compatible" or error.request_id.startswith("req_"), error


def check_a_refused_parameter_is_unprocessable():
    admin.refuse(args.provider, {"unprocessable": {"message": "no such thing", "param": "thing"}})
    error = checks.raises(openai.UnprocessableEntityError, complete)
    assert error.param == "thing", error


def check_bad_requests_are_refused():
    checks.raises(openai.NotFoundError, lambda: complete(model="gpt-none"))
    checks.raises(openai.BadRequestError, lambda: complete(messages=[]))
    if args.kind != "compatible":
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
        checks.raises(openai.APITimeoutError, lambda: patient.chat.completions.create(model=args.model, messages=HELLO))


def streamed(action):
    admin.once(args.provider, action)
    return [chunk.choices[0].delta.content for chunk in complete(stream=True) if chunk.choices]


def broken(at, how):
    return {"answer": {"broken": {"at": at, "how": how}}}


def check_an_error_in_the_stream_is_raised():
    error = checks.raises(openai.APIError, lambda: streamed(broken({"content": 2}, {"error": "quota"})))
    assert "quota" in error.message or "Balance" in error.message, error


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

"""Every error of every provider, as the official SDK of each dialect of clients raises it, through the proxy.

--client: openai, responses, anthropic or gemini.
--providers: names of fakes, separated by commas. The proxy has a model PROVIDER-REFUSAL for each fake and row below, so that
a rejected key is not missed by the next row.
"""

import anthropic
import openai
from google import genai
from google.genai import errors as gemini

import checks

args = checks.arguments("client", "base-url", "admin-url", "providers")
admin = checks.Admin(args.admin_url)

# What the provider says; the client's status; OpenAI's type and code, Anthropic's type, Gemini's status.
ROWS = [
    ("bad_key", 502, "server_error", "upstream_error", "api_error", "INTERNAL"),
    ("forbidden", 502, "server_error", "upstream_error", "api_error", "INTERNAL"),
    ("unknown_model", 404, "invalid_request_error", "model_not_found", "not_found_error", "NOT_FOUND"),
    ("rate_limit", 429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    ("quota", 429, "insufficient_quota", "insufficient_quota", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    ("server_error", 502, "server_error", "upstream_error", "api_error", "INTERNAL"),
    ("unavailable", 502, "server_error", "upstream_error", "api_error", "INTERNAL"),
    ("overloaded", 502, "server_error", "upstream_error", "api_error", "INTERNAL"),
    ("context_length", 400, "invalid_request_error", "context_length_exceeded", "invalid_request_error", "INVALID_ARGUMENT"),
    ("content_filter", 400, "invalid_request_error", "content_filter", "invalid_request_error", "INVALID_ARGUMENT"),
    ("too_large", 413, "invalid_request_error", "request_too_large", "request_too_large", "INVALID_ARGUMENT"),
]
# A local server has no filter, and Gemini's says so in a whole answer.
UNKNOWN = {("ollama", "content_filter"), ("gemini", "content_filter")}
# Seconds that the provider wants to be waited for, where it limits the rate.
WAIT = "7"

OPENAI = {
    400: openai.BadRequestError,
    404: openai.NotFoundError,
    413: openai.APIStatusError,
    429: openai.RateLimitError,
    502: openai.InternalServerError,
}
ANTHROPIC = {
    400: anthropic.BadRequestError,
    404: anthropic.NotFoundError,
    413: anthropic.RequestTooLargeError,
    429: anthropic.RateLimitError,
    502: anthropic.InternalServerError,
}


def openai_client():
    return openai.OpenAI(base_url=f"{args.base_url}/v1", api_key="any", max_retries=0, timeout=20)


def of_openai(call, row):
    _, status, kind, code, _, _ = row
    error = checks.raises(OPENAI[status], call)
    assert (error.status_code, error.type, error.code) == (status, kind, code), (error.type, error.code)
    return error.response.headers


def ask_chat(model, row):
    messages = [{"role": "user", "content": "hello"}]
    return of_openai(lambda: openai_client().chat.completions.create(model=model, messages=messages), row)


def ask_responses(model, row):
    return of_openai(lambda: openai_client().responses.create(model=model, input="hello"), row)


def ask_anthropic(model, row):
    _, status, _, _, kind, _ = row
    client = anthropic.Anthropic(base_url=args.base_url, api_key="any", max_retries=0, timeout=20)
    messages = [{"role": "user", "content": "hello"}]
    call = lambda: client.messages.create(model=model, max_tokens=10, messages=messages)
    error = checks.raises(ANTHROPIC[status], call)
    assert (error.status_code, error.body["error"]["type"]) == (status, kind), error
    return error.response.headers


def ask_gemini(model, row):
    _, status, _, _, _, name = row
    client = genai.Client(api_key="any", http_options={"base_url": args.base_url})
    call = lambda: client.models.generate_content(model=model, contents="hello")
    error = checks.raises(gemini.ServerError if status >= 500 else gemini.ClientError, call)
    assert (error.code, error.status) == (status, name), error
    return error.response.headers


ASK = {"openai": ask_chat, "responses": ask_responses, "anthropic": ask_anthropic, "gemini": ask_gemini}[args.client]


def check_of(provider, row):
    refusal = row[0]

    def check():
        admin.once(provider, {"refuse": {"error": refusal, "retry_after": WAIT if refusal == "rate_limit" else None}})
        headers = ASK(f"{provider}-{refusal.replace('_', '-')}", row)
        wait = headers.get("retry-after")
        assert wait == (WAIT if refusal == "rate_limit" else None), wait

    return check


cells = [(provider, row) for provider in args.providers.split(",") for row in ROWS if (provider, row[0]) not in UNKNOWN]
checks.run({f"check_{provider}_{row[0]}": check_of(provider, row) for provider, row in cells})

"""What the official SDK of a dialect sees of requests that may go wrong, many at once.

--client: openai, anthropic or gemini. Each line of stdin is an order: {"id", "url", "model", "stream"}. For each there is a
line on stdout, when it is over: {"id", "ms", "text", "end"}. `end` is the SDK's finish reason, or its exception. It
runs until stdin is closed.
"""

import functools
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai
from google import genai
from google.genai import errors, types

import checks

args = checks.arguments("client")
# Longer than the proxy's own bound, so that it is the proxy that decides.
PATIENCE = 900
# No order waits for another's end.
MOST = 256

CLIENTS = {}
LOCK = threading.Lock()


def client(url):
    """One for each URL: a second one would be closed in the middle of its request when the first takes its place."""
    with LOCK:
        if url not in CLIENTS:
            CLIENTS[url] = new_client(url)
        return CLIENTS[url]


def new_client(url):
    if args.client == "openai":
        return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=PATIENCE)
    if args.client == "anthropic":
        return anthropic.Anthropic(base_url=url, api_key="any", max_retries=0, timeout=PATIENCE)
    options = types.HttpOptions(base_url=url, timeout=PATIENCE * 1000)
    return genai.Client(api_key="any", http_options=options)


def ask_openai(order, seen):
    messages = [{"role": "user", "content": "hello there"}]
    create = functools.partial(client(order["url"]).chat.completions.create, model=order["model"], messages=messages)
    if not order["stream"]:
        [choice] = create().choices
        seen.append(choice.message.content or "")
        return choice.finish_reason
    end = None
    for chunk in create(stream=True):
        for choice in chunk.choices:
            seen.append(choice.delta.content or "")
            end = choice.finish_reason or end
    return end


def ask_anthropic(order, seen):
    messages = [{"role": "user", "content": "hello there"}]
    create = functools.partial(
        client(order["url"]).messages.create, model=order["model"], max_tokens=500, messages=messages
    )
    if not order["stream"]:
        answer = create()
        seen.extend(block.text for block in answer.content)
        return answer.stop_reason
    end = None
    for event in create(stream=True):
        if event.type == "content_block_delta":
            seen.append(event.delta.text)
        elif event.type == "message_delta":
            end = event.delta.stop_reason
    return end


def ask_gemini(order, seen):
    models = client(order["url"]).models
    asked = {"model": order["model"], "contents": "hello there"}
    end = None
    for answer in models.generate_content_stream(**asked) if order["stream"] else [models.generate_content(**asked)]:
        if answer.prompt_feedback and answer.prompt_feedback.block_reason:
            end = f"blocked: {answer.prompt_feedback.block_reason.value}"
        for candidate in answer.candidates or []:
            parts = candidate.content.parts if candidate.content else None
            seen.extend(part.text or "" for part in parts or [])
            end = candidate.finish_reason.value if candidate.finish_reason else end
    return end


ASK = {"openai": ask_openai, "anthropic": ask_anthropic, "gemini": ask_gemini}[args.client]


def raised(error):
    """The exception in a few words: its class, and what a program would look at."""
    said = [type(error).__name__]
    if isinstance(error, errors.APIError):
        said += [error.code, error.status]
    elif isinstance(error, openai.APIError):
        said += [getattr(error, "status_code", None), error.code]
    elif isinstance(error, anthropic.APIStatusError):
        said += [error.status_code, error.body["error"]["type"]]
    else:
        said.append(str(error))
    return " ".join(str(word) for word in said if word is not None)


def obey(line):
    order, seen = json.loads(line), []
    begun = time.monotonic()
    try:
        end = ASK(order, seen)
    except Exception as error:
        end = raised(error)
    ms = round((time.monotonic() - begun) * 1000)
    # One write a line: threads take turns.
    sys.stdout.write(json.dumps({"id": order["id"], "ms": ms, "text": "".join(seen), "end": end or "nothing"}) + "\n")
    sys.stdout.flush()


with ThreadPoolExecutor(MOST) as pool:
    for line in sys.stdin:
        pool.submit(obey, line)

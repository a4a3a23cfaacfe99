"""What the official SDK of a dialect sees of requests that may go wrong, many at once.

--client: openai, anthropic or gemini. Each line of stdin is an order: {"id", "url", "model", "stream"}. For each there is a
line on stdout, when it is over: {"id", "ms", "text", "end", "ids", "ends", "usages"}. `end` is the SDK's finish reason, or
its exception; the lists are of all that a stream says of itself. It runs until stdin is closed.
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


class Seen:
    """What there was of an answer until it ended."""

    def __init__(self):
        self.text, self.ids, self.ends, self.usages = [], [], [], []

    def id(self, name):
        if name and name not in self.ids:
            self.ids.append(name)

    def usage(self, prompt, answer, total=None):
        self.usages.append({"input": prompt, "output": answer, "total": prompt + answer if total is None else total})


def ask_openai(order, seen):
    messages = [{"role": "user", "content": "hello there"}]
    create = functools.partial(client(order["url"]).chat.completions.create, model=order["model"], messages=messages)
    if not order["stream"]:
        [choice] = create().choices
        seen.text.append(choice.message.content or "")
        seen.ends.append(choice.finish_reason)
        return
    for chunk in create(stream=True, stream_options={"include_usage": True}):
        seen.id(chunk.id)
        for choice in chunk.choices:
            seen.text.append(choice.delta.content or "")
            if choice.finish_reason:
                seen.ends.append(choice.finish_reason)
        if chunk.usage:
            seen.usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, chunk.usage.total_tokens)


def ask_anthropic(order, seen):
    messages = [{"role": "user", "content": "hello there"}]
    create = functools.partial(
        client(order["url"]).messages.create, model=order["model"], max_tokens=500, messages=messages
    )
    if not order["stream"]:
        answer = create()
        seen.text.extend(block.text for block in answer.content)
        seen.ends.append(answer.stop_reason)
        return
    prompt = 0
    for event in create(stream=True):
        if event.type == "message_start":
            seen.id(event.message.id)
            prompt = event.message.usage.input_tokens
        elif event.type == "content_block_delta":
            seen.text.append(event.delta.text)
        elif event.type == "message_delta":
            if event.delta.stop_reason:
                seen.ends.append(event.delta.stop_reason)
            # What it says replaces what was said at the start.
            seen.usage(event.usage.input_tokens or prompt, event.usage.output_tokens)


def ask_gemini(order, seen):
    models = client(order["url"]).models
    asked = {"model": order["model"], "contents": "hello there"}
    for answer in models.generate_content_stream(**asked) if order["stream"] else [models.generate_content(**asked)]:
        seen.id(answer.response_id)
        if answer.prompt_feedback and answer.prompt_feedback.block_reason:
            seen.ends.append(f"blocked: {answer.prompt_feedback.block_reason.value}")
        for candidate in answer.candidates or []:
            parts = candidate.content.parts if candidate.content else None
            seen.text.extend(part.text or "" for part in parts or [])
            if candidate.finish_reason:
                seen.ends.append(candidate.finish_reason.value)
        # Each says how much it is up to there: the last one counts.
        if usage := answer.usage_metadata:
            seen.usages.clear()
            seen.usage(usage.prompt_token_count or 0, usage.candidates_token_count or 0, usage.total_token_count)


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
    order, seen, end = json.loads(line), Seen(), None
    begun = time.monotonic()
    try:
        ASK(order, seen)
    except Exception as error:
        end = raised(error)
    ms = round((time.monotonic() - begun) * 1000)
    end = end or (seen.ends[-1] if seen.ends else "nothing")
    answer = vars(seen) | {"id": order["id"], "ms": ms, "text": "".join(seen.text), "end": end}
    # One write a line: threads take turns.
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


with ThreadPoolExecutor(MOST) as pool:
    for line in sys.stdin:
        pool.submit(obey, line)

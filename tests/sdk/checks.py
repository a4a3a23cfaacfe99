"""What the scripts beside this one share: arguments, the fakes' admin API, and running every `check_` function."""

import argparse
import base64
import json
import sys
import traceback
import urllib.request


# A picture of one pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
# How the fakes speak of it.
SHOWN = f"You showed: {len(PIXEL)} bytes"


def arguments(*names, **defaults):
    """The script's arguments: those without a default have to be given."""
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", default=default)
    return parser.parse_args()


def openai_client(kind, base_url, key):
    """A client of the openai SDK for a server of that kind."""
    import openai

    options = {"api_key": key, "max_retries": 0, "timeout": 20}
    if kind == "azure":
        return openai.AzureOpenAI(azure_endpoint=base_url, api_version="2024-10-21", **options)
    return openai.OpenAI(base_url=base_url, **options)


class Admin:
    """The admin API of the fake providers."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request) as response:
            text = response.read()
        return json.loads(text) if text else None

    def once(self, provider, action):
        self.call("DELETE", "/_admin/script")
        self.call("POST", "/_admin/script", {"provider": provider, "steps": [{"do": action}]})

    def refuse(self, provider, error):
        self.once(provider, {"refuse": {"error": error}})

    def answer(self, provider, **changes):
        self.once(provider, {"answer": changes})

    def break_at(self, provider, content, how):
        """The next answer breaks after so many events with content."""
        self.answer(provider, broken={"at": {"content": content}, "how": how})


def raises(kind, call):
    """Runs `call`, which must raise exactly `kind`; returns the exception."""
    try:
        result = call()
    except kind as error:
        assert type(error) is kind, f"{type(error).__name__} where {kind.__name__} was due"
        return error
    raise AssertionError(f"no {kind.__name__}, but {result!r}")


def run(checks):
    """Runs every function of `checks` whose name starts with `check_`; ends the program with 1 when one fails."""
    failed = 0
    for name, check in list(checks.items()):
        if not name.startswith("check_"):
            continue
        try:
            check()
            print(f"ok      {name}")
        except Exception:
            failed += 1
            print(f"FAILED  {name}")
            traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)

"""What the scripts beside this one share: arguments, the fakes' admin API, and running every `check_` function."""

import argparse
import json
import sys
import traceback
import urllib.request


def arguments(*names):
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


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

"""Runs the checks of a script: each prints `ok NAME`, or `failed NAME: WHAT`; the script then ends with 1.

    python3 SCRIPT.py HTTP_ADDRESS GRPC_ADDRESS CASES.json [PART OF A NAME]

Addresses are HOST:PORT. With the last argument only checks are run whose name contains it.
"""

import asyncio
import inspect
import re
import sys
import traceback

import cases

HTTP, GRPC, CASES = sys.argv[1:4]
PART = sys.argv[4] if len(sys.argv) > 4 else ""
ALL = cases.read(CASES)
CHECKS = []


def check(function):
    """Makes a function a check, named for it."""
    CHECKS.append((function.__name__.replace("_", " "), function))
    return function


def each(name, chosen=lambda case: True):
    """Makes a function of a case a check of every case that is chosen."""

    def add(function):
        found = [case for case in ALL if chosen(case)]
        assert found, f"no case for {name}"
        for case in found:
            CHECKS.append((f"{name}: {case.name}", lambda case=case: function(case)))
        return function

    return add


def said(words, message):
    """Fails unless all these words stand in the message, of a tuple one, and no letter or digit touches them: x is not in next."""
    for word in words:
        ways = word if isinstance(word, tuple) else (word,)
        found = any(re.search(rf"(?<![A-Za-z0-9]){re.escape(way)}(?![A-Za-z0-9])", message) for way in ways)
        assert found, f"{word!r} is not in the message: {message}"


def refused(kind, words, call):
    """Fails unless the call raises that kind of exception, and all these words are said in it; gives it back."""
    try:
        answer = call()
    except kind as error:
        said(words, str(error))
        return error
    raise AssertionError(f"it was taken, and gave {answer!r}")


async def refused_later(kind, words, call):
    """The same of something that is awaited."""
    try:
        answer = await call
    except kind as error:
        said(words, str(error))
        return error
    raise AssertionError(f"it was taken, and gave {answer!r}")


async def run_each():
    failed = 0
    for name, function in CHECKS:
        if PART not in name:
            continue
        try:
            result = function()
            if inspect.isawaitable(result):
                await result
            print(f"ok {name}", flush=True)
        except Exception as error:
            failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = str(error) or repr(error)
            print(f"failed {name}: {type(error).__name__}: {what} ({where.filename}:{where.lineno})", flush=True)
    return failed


def run():
    """Runs all checks, synchronous ones too, in one event loop."""
    failed = asyncio.run(run_each())
    print(f"{len(CHECKS)} checks, {failed} failed")
    sys.exit(1 if failed else 0)

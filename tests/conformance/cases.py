"""Runs Autobahn cases against a server and prints the verdicts as JSON.

Usage: cases.py [--without-echo] URL GROUP...

The verdicts are those of the cases themselves. Nearly all cases expect an echo. With --without-echo only the cases run that expect no
message in return, and the server's first message, which no case expects, is ignored.
"""

import argparse
import asyncio
import importlib.metadata
import json
import re
import signal
import sys
from unittest.mock import MagicMock

import kosoku
from kosoku import _report_assets
from kosoku.cases import CASES

# In the module path since the import above.
from case import Case

# Concurrent cases. Most of them wait a second to see that no message arrives.
CONCURRENCY = 16
# Concurrent cases of the group with large messages, limited by the machine: more would only wait for each other.
HEAVY_GROUP = "9"
HEAVY_CONCURRENCY = 2
# Many cases end after one second, with the data that have arrived by then. Cases that fail run again, alone: a server that breaks a
# rule breaks it again, a server that had too little CPU time does not.
TRIES = 3
GOOD = ("OK", "INFORMATIONAL")
# Some cases wait minutes for a server that does not answer; SIGALRM ends them.
SECONDS_MAX = 600

GREETING = '[{"type":"welcome"'


def group(case_id):
    return case_id.split(".")[0]


def expects_message(case_id):
    """Returns whether the best outcome of a case has a message of the server in it."""
    case = CASES[case_id](MagicMock())
    case.onOpen()
    return any(event[0] == "message" for event in case.expected.get(Case.OK, [("message",)]))


def pass_over_greeting():
    take = Case.onMessage

    def take_others(self, message, binary):
        if binary or not message.startswith(GREETING):
            take(self, message, binary)

    Case.onMessage = take_others


async def run(url, cases, concurrency):
    """Returns the result of each case by its id."""
    if not cases:
        return {}
    try:
        results = await kosoku.run_fuzzingclient(url, cases, concurrency=concurrency)
    except kosoku.FailureError as failure:
        results = failure.results
    return {result.case_id: result for result in results}


async def run_all(url, cases):
    light = [case_id for case_id in cases if group(case_id) != HEAVY_GROUP]
    heavy = [case_id for case_id in cases if group(case_id) == HEAVY_GROUP]
    results = await run(url, light, CONCURRENCY) | await run(url, heavy, HEAVY_CONCURRENCY)
    for _ in range(1, TRIES):
        again = [
            case_id
            for case_id, result in results.items()
            if not result.passed or result.behavior.value not in GOOD
        ]
        results |= await run(url, again, 1)
    return results


def verdict(case_id, result):
    return {
        "id": case_id,
        "description": result.description.splitlines()[0],
        "behavior": result.behavior.value,
        "passed": result.passed,
        "close": result.behavior_close.value,
        "detail": f"{result.result} {result.result_close}",
        "received": repr(result.received)[:400],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--without-echo", action="store_true")
    parser.add_argument("url")
    parser.add_argument("groups", nargs="+")
    arguments = parser.parse_args()
    signal.alarm(SECONDS_MAX)
    known = [case_id for case_id in CASES if group(case_id) in arguments.groups]
    cases = known
    if arguments.without_echo:
        cases = [case_id for case_id in known if not expects_message(case_id)]
        pass_over_greeting()
    results = asyncio.run(run_all(arguments.url, cases))
    report = {
        "suite": importlib.metadata.version("kosoku"),
        "cases": re.search(r"autobahn-testsuite@v([0-9.]+)", _report_assets.__doc__)[1],
        "groups": [
            {"number": number, "name": _report_assets.CaseCategories[number], "known": sum(group(case_id) == number for case_id in known)}
            for number in arguments.groups
        ],
        "verdicts": [verdict(case_id, results[case_id]) for case_id in cases],
    }
    json.dump(report, sys.stdout)


main()

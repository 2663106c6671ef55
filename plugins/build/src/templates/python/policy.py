"""Warns about large pages, and holds plans that delete objects until a person approves them."""

import json

from tidegate import exported, validated

from wit_world import exports
from wit_world.exports import policy
from wit_world.imports import types

DEFAULTS = {"max-page-bytes": 100_000}


def check(given):
    limit = given["max-page-bytes"]
    if not isinstance(limit, int) or limit <= 0:
        yield "max-page-bytes", "use a number above 0"


class State:
    """The state of the run: there is one in an instance."""

    limit = 0
    deletes = 0


class Settings(exports.Settings):
    def validate(self, text):
        return validated(text, DEFAULTS, check)


def finding(severity, code, message, key=None):
    return types.Finding(code=code, severity=severity, message=message, key=key, rule="", attributes=[])


@exported
class Policy(exports.Policy):
    def begin(self, run, totals):
        State.limit = json.loads(run.settings)["max-page-bytes"]
        State.deletes = dict(totals.counts).get("delete", 0)

    def review(self, batch):
        findings = []
        for change in batch:
            is_new = isinstance(change.kind, (policy.ChangeKind_Create, policy.ChangeKind_Update))
            if change.key.endswith(".html") and is_new and change.size > State.limit:
                message = f"the page has {change.size} bytes, more than {State.limit}"
                findings.append(finding(types.Severity.WARNING, "large-page", message, change.key))
        return findings

    def conclude(self):
        if State.deletes == 0:
            return policy.Judgement(policy.Verdict_Allow(), [], [])
        message = f"{State.deletes} objects are deleted"
        return policy.Judgement(policy.Verdict_Hold(), [finding(types.Severity.WARNING, "deletes", message)], [])

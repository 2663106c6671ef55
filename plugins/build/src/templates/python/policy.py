"""Warns about large pages, and holds plans that delete objects until a person approves them."""

import json

from tidegate import exported

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import policy, settings
from wit_world.imports import types

DEFAULTS = {"max-page-bytes": 100_000}


class State:
    """The state of the run: there is one in an instance."""

    limit = 0
    deletes = 0


class Settings(exports.Settings):
    def validate(self, text):
        try:
            given = json.loads(text)
        except ValueError as error:
            raise Err([settings.Issue("", f"it is not JSON: {error}")]) from None
        if not isinstance(given, dict):
            raise Err([settings.Issue("", "use an object")])
        issues = [settings.Issue(f"/{name}", "unknown setting") for name in given if name not in DEFAULTS]
        limit = given.get("max-page-bytes", DEFAULTS["max-page-bytes"])
        if not isinstance(limit, int) or limit <= 0:
            issues.append(settings.Issue("/max-page-bytes", "use a number above 0"))
        if issues:
            raise Err(issues)
        return json.dumps({"max-page-bytes": limit}, separators=(",", ":"))


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

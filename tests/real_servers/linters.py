"""Judges policy documents with parliament and with iam-policy-validator, offline.

Reads a JSON list of [name, document] from standard input, and prints a line for each finding. iam-policy-validator knows no
service by itself and would ask AWS; it is given the facts that parliament brings: actions, resources, condition keys.
"""
import json
import os
import subprocess
import sys
import tempfile

import parliament

SERVICES = {"cloudfront", "codeartifact", "ecr", "kms", "lambda", "logs", "s3", "secretsmanager", "sqs", "ssm", "sts"}

# What an organisation may ask for beside what is valid: a condition on its own network or account for whatever reads, writes or
# assumes. Tidegate narrows by resource and by session; it does not know anybody's organisation.
WISHES = {"missing_condition", "missing_required_condition_any_of"}


def by_parliament(name, text):
    for finding in parliament.analyze_policy_string(text).findings:
        print(name, finding.issue, finding.detail)


def facts(directory):
    definition = os.path.join(os.path.dirname(parliament.__file__), "iam_definition.json")
    names = []
    with open(definition, encoding="utf-8") as file:
        services = json.load(file)
    for service in (service for service in services if service["prefix"] in SERVICES):
        privileges = service["privileges"]
        told = {
            "Name": service["prefix"],
            "Version": "v1",
            "Actions": [
                {
                    "Name": one["privilege"],
                    "ActionConditionKeys": sorted({key for kind in one["resource_types"] for key in kind["condition_keys"]}),
                    "Resources": [
                        {"Name": kind["resource_type"].rstrip("*")} for kind in one["resource_types"] if kind["resource_type"]
                    ],
                }
                for one in privileges
            ],
            "Resources": [
                {"Name": one["resource"], "ARNFormats": [one["arn"]], "ConditionKeys": one["condition_keys"]}
                for one in service["resources"]
            ],
            "ConditionKeys": [{"Name": one["condition"], "Types": [one["type"]]} for one in service["conditions"]],
        }
        with open(os.path.join(directory, service["prefix"] + ".json"), "w", encoding="utf-8") as file:
            json.dump(told, file)
        names.append({"service": service["prefix"], "url": "file:" + service["prefix"]})
    with open(os.path.join(directory, "_services.json"), "w", encoding="utf-8") as file:
        json.dump(names, file)


def issues(told):
    if isinstance(told, dict):
        if "issue_type" in told:
            yield told
        else:
            for part in told.values():
                yield from issues(part)
    elif isinstance(told, list):
        for part in told:
            yield from issues(part)


def by_validator(documents):
    program = os.path.join(os.path.dirname(sys.executable), "iam-validator")
    with tempfile.TemporaryDirectory() as place:
        services, policies = os.path.join(place, "services"), os.path.join(place, "policies")
        os.mkdir(services)
        os.mkdir(policies)
        facts(services)
        for at, (name, text) in enumerate(documents):
            with open(os.path.join(policies, f"{at}.json"), "w", encoding="utf-8") as file:
                file.write(text)
        command = [program, "--log-level", "critical", "validate", "--path", policies, "--format", "json"]
        answer = subprocess.run(command + ["--aws-services-dir", services], capture_output=True, text=True, check=False)
        told = json.loads(answer.stdout[answer.stdout.index("{") :])
        for issue in issues(told):
            if issue["issue_type"] not in WISHES:
                print("validator", issue["issue_type"], issue.get("action"), issue.get("message"))


documents = json.load(sys.stdin)
if sys.argv[1] == "parliament":
    for name, text in documents:
        by_parliament(name, text)
else:
    by_validator(documents)

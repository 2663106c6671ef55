"""Lints policy documents with parliament or with iam-policy-validator, offline.

    linters.py parliament|validator

Reads a JSON list of [name, document] from standard input, and prints a line for each finding. iam-policy-validator would
download the actions, resources and condition keys of services from AWS; it gets those that parliament contains.
"""
import json
import os
import subprocess
import sys
import tempfile

import parliament

SERVICES = {"cloudfront", "codeartifact", "ecr", "kms", "lambda", "logs", "s3", "secretsmanager", "sqs", "ssm", "states", "sts"}

# Findings that ask for conditions on the network or account of an organization, which Tidegate does not know. It restricts
# policies by resource and by session instead.
IGNORED = {"missing_condition", "missing_required_condition_any_of"}


def run_parliament(name, text):
    for finding in parliament.analyze_policy_string(text).findings:
        # parliament asks for every type of resource of an action. No execution of Tidegate is of the type EXPRESS.
        if finding.issue == "RESOURCE_MISMATCH" and ":states:*:*:express:" in str(finding.detail):
            continue
        print(name, finding.issue, finding.detail)


def write_services(directory):
    """Writes the service definitions of parliament in the format of iam-policy-validator."""
    path = os.path.join(os.path.dirname(parliament.__file__), "iam_definition.json")
    names = []
    with open(path, encoding="utf-8") as file:
        services = json.load(file)
    for service in (service for service in services if service["prefix"] in SERVICES):
        privileges = service["privileges"]
        definition = {
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
            json.dump(definition, file)
        names.append({"service": service["prefix"], "url": "file:" + service["prefix"]})
    with open(os.path.join(directory, "_services.json"), "w", encoding="utf-8") as file:
        json.dump(names, file)


def issues(report):
    if isinstance(report, dict):
        if "issue_type" in report:
            yield report
        else:
            for part in report.values():
                yield from issues(part)
    elif isinstance(report, list):
        for part in report:
            yield from issues(part)


def run_validator(documents):
    program = os.path.join(os.path.dirname(sys.executable), "iam-validator")
    with tempfile.TemporaryDirectory() as directory:
        services, policies = os.path.join(directory, "services"), os.path.join(directory, "policies")
        os.mkdir(services)
        os.mkdir(policies)
        write_services(services)
        for index, (_, text) in enumerate(documents):
            with open(os.path.join(policies, f"{index}.json"), "w", encoding="utf-8") as file:
                file.write(text)
        command = [program, "--log-level", "critical", "validate", "--path", policies, "--format", "json"]
        process = subprocess.run(command + ["--aws-services-dir", services], capture_output=True, text=True, check=False)
        report = json.loads(process.stdout[process.stdout.index("{") :])
        for issue in issues(report):
            # The name of an encryption context follows the key, here `aws:s3:arn`, and the validator takes no colon in it.
            # Source: AWS KMS Developer Guide, "kms:EncryptionContext:context-key".
            if "`kms:EncryptionContext:aws:s3:arn` is not valid" in issue.get("message", ""):
                continue
            if issue["issue_type"] not in IGNORED:
                print("validator", issue["issue_type"], issue.get("action"), issue.get("message"))


documents = json.load(sys.stdin)
if sys.argv[1] == "parliament":
    for name, text in documents:
        run_parliament(name, text)
else:
    run_validator(documents)

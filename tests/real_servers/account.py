"""Prints the resources of an account, of the kinds that `tidegate install` creates, as JSON. Reads them with boto3.

    account.py ENDPOINT           prints the resources
    account.py ENDPOINT others    first creates resources that Tidegate does not own: buckets, a queue, a role, a function, and
                                  notifications of the buckets
"""
import io
import json
import sys
import zipfile

import boto3
from botocore.exceptions import ClientError


def client(service):
    return boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


s3, iam, sqs, logs, functions = (client(name) for name in ("s3", "iam", "sqs", "logs", "lambda"))
stacks, metrics, events, states = (client(name) for name in ("cloudformation", "cloudwatch", "events", "stepfunctions"))
# Fields that change without a change to the resource, or differ between two equal resources.
VOLATILE = {"ResponseMetadata", "RevisionId", "LastModified", "LastModifiedTime", "CreationTime", "CreateDate", "RoleId"}
VOLATILE |= {name + suffix for name in ("State", "LastUpdateStatus") for suffix in ("", "Reason", "ReasonCode")}


def stable(response):
    """A response without volatile fields."""
    if isinstance(response, dict):
        return {name: stable(value) for name, value in response.items() if name not in VOLATILE}
    if isinstance(response, list):
        return [stable(value) for value in response]
    return response


def none_if_missing(call, **arguments):
    try:
        return stable(call(**arguments))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise


def create_others():
    for bucket in ("acme-artifacts", "acme-other"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="acme-artifacts", Key="builds/docs/old.zip", Body=b"zip")
    queue = sqs.create_queue(QueueName="others")["QueueUrl"]
    names = ["QueueArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]["QueueArn"]
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]}
    role = iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("bootstrap", "")
    function = functions.create_function(
        FunctionName="theirs", Runtime="provided.al2023", Role=role, Handler="bootstrap", Code={"ZipFile": archive.getvalue()}
    )["FunctionArn"]

    def entry(kind, arn, name, **rules):
        filters = [{"Name": rule, "Value": value} for rule, value in rules.items()]
        return {"Id": name, kind: arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": filters}}}

    notifications = {
        "QueueConfigurations": [entry("QueueArn", arn, "theirs-1", prefix="logs/")],
        "LambdaFunctionConfigurations": [
            entry("LambdaFunctionArn", function, "tidegate-look-alike", prefix="builds/docs/", suffix=".txt")
        ],
    }
    s3.put_bucket_notification_configuration(Bucket="acme-artifacts", NotificationConfiguration=notifications)
    # For a bucket without notifications moto returns another document than S3, so this one has some too.
    notifications = {"QueueConfigurations": [entry("QueueArn", arn, "theirs-2", prefix="logs/")]}
    s3.put_bucket_notification_configuration(Bucket="acme-other", NotificationConfiguration=notifications)


def role(name):
    policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return {
        "role": stable(iam.get_role(RoleName=name)["Role"]),
        "policies": {policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in policies},
    }


def queue(url):
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    # S3 sends a test event to every queue of a notification configuration that is put.
    volatile = ("Timestamp", "NumberOfMessages", "Delayed", "NotVisible")
    kept = {name: value for name, value in attributes.items() if not name.endswith(volatile)}
    return {"attributes": kept, "tags": sqs.list_queue_tags(QueueUrl=url).get("Tags", {})}


def function(name):
    found = functions.get_function(FunctionName=name)
    policy = none_if_missing(functions.get_policy, FunctionName=name)
    return {
        "configuration": stable(found["Configuration"]),
        "tags": found.get("Tags", {}),
        "policy": json.loads(policy["Policy"]) if policy else None,
        "url": none_if_missing(functions.get_function_url_config, FunctionName=name),
        "retries": none_if_missing(functions.get_function_event_invoke_config, FunctionName=name, Qualifier="$LATEST"),
        "mappings": stable(functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]),
    }


def state_machine(arn):
    found = states.describe_state_machine(stateMachineArn=arn)
    return {
        "type": found["type"],
        "role": found["roleArn"],
        "definition": json.loads(found["definition"]),
        "tags": states.list_tags_for_resource(resourceArn=arn)["tags"],
    }


def executed(change_set):
    """Whether a change set was executed, or cannot be: AWS deletes it then."""
    return change_set.get("ExecutionStatus") != "AVAILABLE"


def state():
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    groups = stable(logs.describe_log_groups()["logGroups"])
    listed = [one for one in stacks.describe_stacks()["Stacks"] if one["StackStatus"] != "DELETE_COMPLETE"]
    change_sets = {one["StackName"]: stacks.list_change_sets(StackName=one["StackName"])["Summaries"] for one in listed}
    return {
        "stacks": {one["StackName"]: one["StackStatus"] for one in listed},
        "change-sets": [one["ChangeSetName"] for sets in change_sets.values() for one in sets if not executed(one)],
        "alarms": sorted(one["AlarmName"] for one in metrics.describe_alarms()["MetricAlarms"]),
        "dashboards": [one["DashboardName"] for one in metrics.list_dashboards()["DashboardEntries"]],
        "rules": sorted(one["Name"] for one in events.list_rules()["Rules"]),
        "functions": {one["FunctionName"]: function(one["FunctionName"]) for one in functions.list_functions()["Functions"]},
        "state-machines": {
            one["name"]: state_machine(one["stateMachineArn"]) for one in states.list_state_machines()["stateMachines"]
        },
        "roles": {one["RoleName"]: role(one["RoleName"]) for one in iam.list_roles()["Roles"]},
        "queues": {url.rsplit("/", 1)[1]: queue(url) for url in sqs.list_queues().get("QueueUrls", [])},
        "logs": {one["logGroupName"]: one.get("retentionInDays") for one in groups},
        "notifications": {name: stable(s3.get_bucket_notification_configuration(Bucket=name)) for name in buckets},
        "objects": {name: [one["Key"] for one in s3.list_objects_v2(Bucket=name).get("Contents", [])] for name in buckets},
    }


if sys.argv[2:] == ["others"]:
    create_others()
print(json.dumps(state(), sort_keys=True))

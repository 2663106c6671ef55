"""Prints what an account holds of the kinds that `tidegate install` makes, as JSON, read by AWS's own SDK for Python.

The endpoint is the first argument. With `others` as the second, makes what somebody else has there: buckets, a queue, a
function's role, and notifications of a bucket.
"""
import json
import sys

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
TIMES = {"ResponseMetadata", "RevisionId", "LastModified", "LastModifiedTime", "CreationTime", "CreateDate", "RoleId"}


def told(answer):
    """An answer without what changes by itself."""
    if isinstance(answer, dict):
        return {name: told(value) for name, value in answer.items() if name not in TIMES}
    if isinstance(answer, list):
        return [told(value) for value in answer]
    return answer


def unless_missing(call, **arguments):
    try:
        return told(call(**arguments))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise


def others():
    for bucket in ("acme-artifacts", "acme-other"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="acme-artifacts", Key="builds/docs/old.zip", Body=b"zip")
    queue = sqs.create_queue(QueueName="others")["QueueUrl"]
    names = ["QueueArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]["QueueArn"]
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]}
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=json.dumps(trust))
    function = "arn:aws:lambda:us-east-1:123456789012:function:theirs"

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
    # moto answers another document than S3 for a bucket that never had any, so this one has some as well.
    notifications = {"QueueConfigurations": [entry("QueueArn", arn, "theirs-2", prefix="logs/")]}
    s3.put_bucket_notification_configuration(Bucket="acme-other", NotificationConfiguration=notifications)


def role(name):
    policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return {
        "role": told(iam.get_role(RoleName=name)["Role"]),
        "policies": {policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in policies},
    }


def queue(url):
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    # S3 sends a test event to every queue of a list of notifications that is written.
    passing = ("Timestamp", "NumberOfMessages", "Delayed", "NotVisible")
    kept = {name: value for name, value in attributes.items() if not name.endswith(passing)}
    return {"attributes": kept, "tags": sqs.list_queue_tags(QueueUrl=url).get("Tags", {})}


def function(name):
    found = functions.get_function(FunctionName=name)
    policy = unless_missing(functions.get_policy, FunctionName=name)
    return {
        "configuration": told(found["Configuration"]),
        "tags": found.get("Tags", {}),
        "policy": json.loads(policy["Policy"]) if policy else None,
        "url": unless_missing(functions.get_function_url_config, FunctionName=name),
        "retries": unless_missing(functions.get_function_event_invoke_config, FunctionName=name),
    }


def state():
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    groups = told(logs.describe_log_groups()["logGroups"])
    return {
        "functions": {one["FunctionName"]: function(one["FunctionName"]) for one in functions.list_functions()["Functions"]},
        "roles": {one["RoleName"]: role(one["RoleName"]) for one in iam.list_roles()["Roles"]},
        "queues": {url.rsplit("/", 1)[1]: queue(url) for url in sqs.list_queues().get("QueueUrls", [])},
        "logs": {one["logGroupName"]: one.get("retentionInDays") for one in groups},
        "notifications": {name: told(s3.get_bucket_notification_configuration(Bucket=name)) for name in buckets},
        "objects": {name: [one["Key"] for one in s3.list_objects_v2(Bucket=name).get("Contents", [])] for name in buckets},
    }


if sys.argv[2:] == ["others"]:
    others()
print(json.dumps(state(), sort_keys=True))

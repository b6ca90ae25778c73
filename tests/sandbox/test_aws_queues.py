"""SQS by itself, and as what EventBridge and S3 send to."""

import gzip
import json
import threading
import time
from contextlib import ExitStack, closing
from urllib.parse import unquote_plus

import pytest

from sandbox.aws import DEFAULT_ACCOUNT
from tests.support.aws import boto_client, refused


@pytest.fixture
def clients(aws):
    with ExitStack() as stack:
        yield lambda service, **more: stack.enter_context(closing(boto_client(aws.url, service, **more)))


@pytest.fixture
def sqs(clients):
    return clients("sqs")


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="q")["QueueUrl"]


def take(sqs, url, most=10, **more):
    return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, MessageSystemAttributeNames=["All"], **more).get(
        "Messages", []
    )


def count(sqs, url, name="ApproximateNumberOfMessages"):
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def test_a_queue_is_found_by_its_name(aws, sqs, queue):
    assert queue == f"{aws.url}/{DEFAULT_ACCOUNT}/q"
    assert sqs.get_queue_url(QueueName="q")["QueueUrl"] == queue
    assert sqs.create_queue(QueueName="q")["QueueUrl"] == queue
    assert sqs.list_queues()["QueueUrls"] == [queue]
    with refused("QueueAlreadyExists"):
        sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "5"})
    with refused("AWS.SimpleQueueService.NonExistentQueue") as answer:
        sqs.get_queue_url(QueueName="other")
    assert answer.status == 400
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        take(sqs, queue + "x")


def test_a_message_is_invisible_until_its_timeout_and_gone_when_deleted(sqs, queue):
    sent = sqs.send_message(QueueUrl=queue, MessageBody="Zoë")
    [first] = take(sqs, queue, VisibilityTimeout=600)
    assert (first["MessageId"], first["Body"], first["MD5OfBody"]) == (
        sent["MessageId"],
        "Zoë",
        sent["MD5OfMessageBody"],
    )
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"
    assert take(sqs, queue) == []
    assert (count(sqs, queue), count(sqs, queue, "ApproximateNumberOfMessagesNotVisible")) == (0, 1)
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    [second] = take(sqs, queue)
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    # The handle of before is worth nothing any more, and says nothing of it.
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
    assert count(sqs, queue, "ApproximateNumberOfMessagesNotVisible") == 1
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"])
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"])
    assert count(sqs, queue, "ApproximateNumberOfMessagesNotVisible") == 0
    with refused("AWS.SimpleQueueService.MessageNotInflight"):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=0)
    with refused("ReceiptHandleIsInvalid"):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle="x")


def test_batches_tell_each_entry_apart(sqs, queue):
    bodies = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(10)]
    assert len(sqs.send_message_batch(QueueUrl=queue, Entries=bodies)["Successful"]) == 10
    got = take(sqs, queue)
    assert [one["Body"] for one in got] == [f"m{n}" for n in range(10)]
    entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(got[:2])]
    told = sqs.delete_message_batch(QueueUrl=queue, Entries=[*entries, {"Id": "bad", "ReceiptHandle": "x"}])
    assert [one["Id"] for one in told["Successful"]] == ["0", "1"]
    assert [(one["Id"], one["Code"]) for one in told["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]
    with refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct"):
        sqs.delete_message_batch(QueueUrl=queue, Entries=[entries[0], entries[0]])
    with refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest"):
        sqs.send_message_batch(QueueUrl=queue, Entries=[*bodies, {"Id": "x", "MessageBody": "x"}])
    with refused("InvalidParameterValue"):
        take(sqs, queue, 11)


def test_a_message_that_is_received_too_often_goes_to_the_dead_letter_queue(sqs):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{DEFAULT_ACCOUNT}:dead", "maxReceiveCount": 2}
    attributes = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "0"}
    url = sqs.create_queue(QueueName="live", Attributes=attributes)["QueueUrl"]
    sent = sqs.send_message(QueueUrl=url, MessageBody="poison")["MessageId"]
    assert [len(take(sqs, url)) for _ in range(3)] == [1, 1, 0]
    [message] = take(sqs, dead)
    assert (message["MessageId"], message["Body"]) == (sent, "poison")
    with refused("InvalidAttributeValue"):
        sqs.create_queue(QueueName="odd", Attributes={"RedrivePolicy": "{}"})


def test_a_long_poll_ends_with_the_first_message(aws, sqs, queue, clients):
    got = []
    poller = clients("sqs", read_timeout=60)
    waiting = threading.Thread(target=lambda: got.extend(take(poller, queue, WaitTimeSeconds=20)))
    waiting.start()
    deadline = time.monotonic() + 10
    while not any(entry.action == "ReceiveMessage" for entry in aws.journal()) and time.monotonic() < deadline:
        pass
    [entry] = [entry for entry in aws.journal() if entry.action == "ReceiveMessage"]
    assert entry.ended is None
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    waiting.join(10)
    assert [one["Body"] for one in got] == ["hello"]
    [entry] = [entry for entry in aws.journal() if entry.action == "ReceiveMessage"]
    assert (entry.outcome, entry.told) == ("OK", "OK")


def test_a_long_poll_that_finds_nothing_answers_nothing(aws, sqs, queue):
    assert take(sqs, queue, WaitTimeSeconds=1) == []


# What EventBridge sends


def test_changes_arrive_as_eventbridge_sends_them_and_reads_do_not(aws, iam, sqs):
    aws.knobs(record_reads=True)
    aws.feed("events")
    url = sqs.get_queue_url(QueueName="events")["QueueUrl"]
    request_id = iam.create_user(UserName="alice")["ResponseMetadata"]["RequestId"]
    iam.get_user(UserName="alice")
    with pytest.raises(Exception, match="AccessDenied"):
        aws.sign_in("alice", "wrong")
    event, login = [json.loads(one["Body"]) for one in take(sqs, url)]
    assert (event["version"], event["source"], event["account"]) == ("0", "aws.iam", DEFAULT_ACCOUNT)
    assert (event["detail-type"], event["region"]) == ("AWS API Call via CloudTrail", "us-east-1")
    assert event["detail"]["requestID"] == request_id
    assert event["detail"]["requestParameters"] == {"userName": "alice"}
    assert event["id"] != event["detail"]["eventID"]
    assert (login["detail-type"], login["source"]) == ("AWS Console Sign In via CloudTrail", "aws.signin")


def test_a_feed_takes_one_account_or_all(aws, sqs):
    aws.add_account("444455556666")
    aws.feed("one", account="444455556666")
    aws.feed("all")
    aws.call("CreateUser", {"UserName": "alice"})
    aws.call("CreateUser", {"UserName": "bob"}, account="444455556666")
    seen = {}
    for name in ("one", "all"):
        bodies = [json.loads(one["Body"]) for one in take(sqs, sqs.get_queue_url(QueueName=name)["QueueUrl"])]
        seen[name] = [one["account"] for one in bodies]
    assert seen == {"one": ["444455556666"], "all": [DEFAULT_ACCOUNT, "444455556666"]}


# Files


def test_files_lie_where_cloudtrail_puts_them_and_a_queue_hears_of_each(aws, iam, sqs, clients):
    aws.feed(bucket="org-trail", notify="files", digests=True)
    url = sqs.get_queue_url(QueueName="files")["QueueUrl"]
    for name in ("alice", "bob"):
        iam.create_user(UserName=name)
    test_event, file, digest = [json.loads(one["Body"]) for one in take(sqs, url)]
    assert test_event["Event"] == "s3:TestEvent"
    told = file["Records"][0]
    assert (told["eventName"], told["eventSource"], told["s3"]["bucket"]["name"]) == (
        "ObjectCreated:Put",
        "aws:s3",
        "org-trail",
    )
    key = unquote_plus(told["s3"]["object"]["key"])
    assert key.startswith(f"AWSLogs/{DEFAULT_ACCOUNT}/CloudTrail/us-east-1/2")
    assert "/CloudTrail-Digest/" in digest["Records"][0]["s3"]["object"]["key"]
    s3 = clients("s3")
    got = s3.get_object(Bucket="org-trail", Key=key)
    body = got["Body"].read()
    records = json.loads(gzip.decompress(body))["Records"]
    assert [record["requestParameters"]["userName"] for record in records] == ["alice", "bob"]
    head = s3.head_object(Bucket="org-trail", Key=key)
    assert (head["ContentLength"], head["ETag"]) == (len(body), got["ETag"])
    assert told["s3"]["object"]["size"] == len(body)


def test_listings_come_in_pages_with_prefix_delimiter_and_a_place_to_start(clients):
    s3 = clients("s3")
    s3.create_bucket(Bucket="b")
    keys = [f"AWSLogs/1/{day:02}/x +{n}.gz" for day in (1, 2) for n in range(3)]
    for key in [*keys, "zz"]:
        s3.put_object(Bucket="b", Key=key, Body=key.encode())
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="b", Prefix="AWSLogs/", PaginationConfig={"PageSize": 2}
    )
    assert [one["Key"] for page in pages for one in page["Contents"]] == keys
    after = s3.list_objects_v2(Bucket="b", StartAfter=keys[4])
    assert [one["Key"] for one in after["Contents"]] == [keys[5], "zz"]
    cut = s3.get_paginator("list_objects_v2").paginate(
        Bucket="b", Prefix="AWSLogs/1/", Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    assert [one["Prefix"] for page in cut for one in page["CommonPrefixes"]] == ["AWSLogs/1/01/", "AWSLogs/1/02/"]
    assert s3.get_object(Bucket="b", Key=keys[0])["Body"].read() == keys[0].encode()
    s3.delete_object(Bucket="b", Key="zz")
    with refused("NoSuchKey") as answer:
        s3.get_object(Bucket="b", Key="zz")
    assert answer.status == 404
    with refused("404"):
        s3.head_object(Bucket="b", Key="zz")
    with refused("NoSuchBucket"):
        s3.list_objects_v2(Bucket="nowhere")


def test_what_s3_and_sqs_do_not_know_is_refused_and_counted(aws, clients, sqs, queue):
    with refused("NotImplemented") as answer:
        clients("s3").get_object_acl(Bucket="b", Key="k")
    assert answer.status == 501
    with refused("InvalidAction"):
        sqs.list_queue_tags(QueueUrl=queue)
    assert aws.overview()["unknown_actions"] == {"s3:GetObject?acl": 1, "sqs:ListQueueTags": 1}


def test_wrong_signatures_are_refused_in_each_services_words(aws, clients):
    for service, ask, code in (
        ("sqs", lambda client: client.list_queues(), "SignatureDoesNotMatch"),
        ("s3", lambda client: client.list_buckets(), "SignatureDoesNotMatch"),
        ("secretsmanager", lambda client: client.list_secrets(), "InvalidSignatureException"),
    ):
        with refused(code):
            ask(clients(service, secret="wrong"))
    for service, ask, code in (
        ("sqs", lambda client: client.list_queues(), "InvalidClientTokenId"),
        ("s3", lambda client: client.list_buckets(), "InvalidAccessKeyId"),
        ("organizations", lambda client: client.list_accounts(), "UnrecognizedClientException"),
    ):
        with refused(code):
            ask(clients(service, key="AKIAUNKNOWN123456789"))

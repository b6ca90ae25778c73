"""The stand-in's HTTP by itself, byte by byte: keep-alive, pipelining, and what is no request at all."""

import re
import socket
from contextlib import closing
from urllib.parse import quote

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import httpx2
import pytest

from sandbox.aws import connector_key, secret_of

CONNECTION_TIMEOUT_S = 10


class Raw:
    """One connection, without a client's help."""

    def __init__(self, url):
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)
        self.sock = socket.create_connection((self.host, self.port), CONNECTION_TIMEOUT_S)
        self.read = self.sock.makefile("rb")

    def close(self):
        self.read.close()
        self.sock.close()

    def signed(self, form, method="POST", **headers):
        """The bytes of a request that botocore's signer signed."""
        target = f"http://{self.host}:{self.port}/"
        where, body = (f"{target}?{form}", "") if method == "GET" else (target, form)
        request = botocore.awsrequest.AWSRequest(method, where, data=body, headers={"Host": f"{self.host}:{self.port}"})
        key = connector_key()
        credentials = botocore.credentials.Credentials(key, secret_of(key))
        botocore.auth.SigV4Auth(credentials, "iam", "us-east-1").add_auth(request)
        lines = [f"{method} /{f'?{form}' if method == 'GET' else ''} HTTP/1.1"]
        told = {**dict(request.headers.items()), "Content-Length": str(len(body)), **headers}
        lines += [f"{name}: {value}" for name, value in told.items()]
        return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()

    def answer(self):
        """(status, headers, body) of the next answer."""
        status = int(self.read.readline().split(b" ")[1])
        headers = {}
        while line := self.read.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return status, headers, self.read.read(int(headers.get("content-length", 0))).decode()


@pytest.fixture
def raw(aws):
    with closing(Raw(aws.url)) as connection:
        yield connection


GET_USER = "Action=GetUser&Version=2010-05-08"


def test_requests_in_one_packet_are_answered_in_their_order(aws, raw):
    raw.sock.sendall(b"".join(raw.signed(f"{GET_USER}&UserName=u{number}") for number in range(5)))
    for number in range(5):
        status, _, body = raw.answer()
        assert status == 404
        assert f"The user with name u{number} cannot be found." in body


def test_requests_are_answered_in_their_order_though_the_first_is_slow(aws, raw):
    aws.fault("delay", actions="GetUser", seconds=0.2, count=1)
    raw.sock.sendall(raw.signed(f"{GET_USER}&UserName=slow") + raw.signed(f"{GET_USER}&UserName=quick"))
    assert "slow" in raw.answer()[2]
    assert "quick" in raw.answer()[2]


def test_a_request_may_come_in_pieces(raw):
    for byte in raw.signed(GET_USER):
        raw.sock.sendall(bytes([byte]))
    status, headers, body = raw.answer()
    assert status == 200
    assert headers["content-type"] == "text/xml"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", headers["x-amzn-requestid"])
    assert f"<RequestId>{headers['x-amzn-requestid']}</RequestId>" in body


def test_a_query_may_stand_in_the_address(raw):
    raw.sock.sendall(raw.signed(GET_USER, method="GET"))
    assert raw.answer()[0] == 200


def test_a_connection_is_closed_when_the_client_wants_it_so(raw):
    raw.sock.sendall(raw.signed(GET_USER, Connection="close"))
    assert raw.answer()[1]["connection"] == "close"
    assert raw.read.read() == b""


def test_a_client_may_ask_first(raw):
    whole = raw.signed(GET_USER, Expect="100-continue")
    head, _, body = whole.partition(b"\r\n\r\n")
    raw.sock.sendall(head + b"\r\n\r\n")
    assert raw.answer()[0] == 100
    raw.sock.sendall(body)
    assert raw.answer()[0] == 200


@pytest.mark.parametrize("effect", ["reset_before", "reset_after"])
def test_a_reset_is_a_reset_and_no_orderly_end(aws, raw, effect):
    aws.fault(effect)
    raw.sock.sendall(raw.signed(GET_USER))
    with pytest.raises(ConnectionResetError):
        raw.sock.recv(1)


def test_policy_documents_are_percent_encoded(aws, raw):
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
    aws.call("PutUserPolicy", {"UserName": "break-glass", "PolicyName": "p", "PolicyDocument": document})
    raw.sock.sendall(raw.signed("Action=GetUserPolicy&Version=2010-05-08&UserName=break-glass&PolicyName=p"))
    assert f"<PolicyDocument>{quote(document, safe='')}</PolicyDocument>" in raw.answer()[2]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"what is this\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70000, 431),
    ],
)
def test_what_is_no_request_is_answered_and_ends_the_connection(aws, raw, sent, status):
    raw.sock.sendall(sent)
    assert raw.answer()[0] == status
    assert raw.read.read() == b""
    assert aws.journal() == []


SCOPE = f"Credential={connector_key()}/20260101/us-east-1/iam/aws4_request"
UNSIGNED = f"SignedHeaders=host, Signature={'0' * 64}"


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("", 403, "MissingAuthenticationToken"),
        ("Authorization: Basic eDp5\r\n", 400, "IncompleteSignature"),
        (f"Authorization: AWS4-HMAC-SHA256 {SCOPE}\r\n", 400, "IncompleteSignature"),
        (f"Authorization: AWS4-HMAC-SHA256 {SCOPE}, {UNSIGNED}\r\n", 403, "SignatureDoesNotMatch"),
    ],
)
def test_a_request_must_be_signed(raw, header, status, code):
    raw.sock.sendall(f"POST / HTTP/1.1\r\n{header}Content-Length: {len(GET_USER)}\r\n\r\n{GET_USER}".encode())
    answered, _, body = raw.answer()
    assert answered == status
    assert f"<Type>Sender</Type><Code>{code}</Code>" in body


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ("", "MissingAction"),
        ("Version=2010-05-08", "MissingAction"),
        ("Action=GetUser&Version=1999-01-01", "NoSuchVersion"),
        ("Action=NoSuchThing&Version=2010-05-08", "InvalidAction"),
        (f"{GET_USER}&UserName=x&UserName.member.1=y", "ValidationError"),
        ("Action=TagUser&Version=2010-05-08&UserName=x&Tags=hello", "ValidationError"),
        ("Action=TagUser&Version=2010-05-08&UserName=x&Tags.member.1.Value=v", "ValidationError"),
    ],
)
def test_a_form_that_makes_no_sense_is_a_sender_s_fault(raw, form, code):
    raw.sock.sendall(raw.signed(form))
    status, _, body = raw.answer()
    assert status == 400
    assert f"<Code>{code}</Code>" in body


def test_a_changed_body_breaks_the_signature(raw):
    raw.sock.sendall(raw.signed(f"{GET_USER}&UserName=alice").replace(b"=alice", b"=break"))
    assert "SignatureDoesNotMatch" in raw.answer()[2]


# Other protocols at the door


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/", {"X-Amz-Target": "AmazonSQS.ListQueues"}, 400, b"MissingAuthenticationTokenException"),
        ("/", {"X-Amz-Target": "secretsmanager.ListSecrets"}, 400, b"MissingAuthenticationTokenException"),
        ("/", {"X-Amz-Target": "Nobody.ListSecrets"}, 403, b"<Code>MissingAuthenticationToken</Code>"),
        ("/bucket/key", {}, 403, b"<Code>AccessDenied</Code>"),
    ],
)
def test_without_a_signature_each_service_refuses_in_its_own_protocol(aws, path, headers, status, code):
    answer = httpx2.post(f"{aws.url}{path}", headers=headers)
    assert answer.status_code == status
    assert code in answer.content


def test_a_body_that_is_no_json_object_is_refused(aws):
    headers = {"X-Amz-Target": "AmazonSQS.ListQueues"}
    for body in (b"{", b"[1]", b"\xff"):
        answer = httpx2.post(aws.url, headers=headers, content=body)
        assert answer.status_code == 400
        assert answer.json()["__type"] == "com.amazonaws.sqs#SerializationException"

"""boto3 on real sockets: who is asked before a write, how long a call may take, and what a broken answer means.

The other end is no IAM but a few bytes of HTTP, sent as badly as a test wants.
"""

import contextlib
import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from connector.aws.client import BotoApi, ClientSettings
from connector.aws.errors import AwsError, ErrorClass
from connector.errors import CallForbidden
from tests.support.wait import wait_until

TIMEOUT_S = 1.0
XML = b"""<AddUserToGroupResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
<ResponseMetadata><RequestId>aws-1</RequestId></ResponseMetadata></AddUserToGroupResponse>"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
GOOD = HEAD % len(XML) + XML
PARAMS = {"UserName": "alice", "GroupName": "admins"}


class Wire:
    """A listener that reads one request after the other and does with it what `answer` says."""

    def __init__(self, answer, tls=None):
        self.requests = []
        self.connections = 0
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            while request := self._read(connection):
                self.requests.append(request)
                self._answer(connection)

    @staticmethod
    def _read(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def close(self):
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def opened():
    """`opened(answer)` → (Wire, BotoApi), closed at the end of the test."""
    things = []

    def open_both(answer, port=None, tls=None):
        wire = Wire(answer, tls)
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port or wire.port}"
        settings = ClientSettings("aws-global", 0.5, TIMEOUT_S, 4, "AKIATEST", "secret", url)
        api = BotoApi(settings)
        things.extend((api, wire))
        return wire, api

    yield open_both
    for thing in things:
        thing.close()


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """A server's TLS with a certificate that boto3 is told to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(chain))
    return context


def good(connection):
    connection.sendall(GOOD)


def add(api, may_call=lambda: True, params=PARAMS):
    return api.call("AddUserToGroup", params, "idhub-aws/0 r/1 s/1", may_call)


def trouble_of(api):
    with pytest.raises(AwsError) as raised:
        add(api)
    return raised.value


def test_a_call_carries_its_mark_behind_boto3s_own(opened):
    wire, api = opened(good)
    assert add(api)["ResponseMetadata"]["RequestId"] == "aws-1"
    (agent,) = [line for line in wire.requests[0].split(b"\r\n") if line.lower().startswith(b"user-agent:")]
    assert agent.endswith(b" idhub-aws/0 r/1 s/1")
    assert b"Boto3/" in agent


def test_connections_are_kept(opened):
    wire, api = opened(good)
    for _ in range(5):
        add(api)
    assert (wire.connections, len(wire.requests)) == (1, 5)


def test_nothing_is_sent_when_the_worker_may_not_call(opened):
    wire, api = opened(good)
    with pytest.raises(CallForbidden):
        add(api, lambda: False)
    add(api)
    with pytest.raises(CallForbidden):
        add(api, lambda: False)
    assert len(wire.requests) == 1


def test_the_worker_is_asked_once_and_last(opened):
    """With the connection up and everything signed, nothing but the write is left to do."""
    wire, api = opened(good)
    asked = []

    def may_call():
        asked.append(wire.connections)
        return True

    wait_until(lambda: add(api, may_call), "an answer")
    wait_until(lambda: wire.connections == 1, "the connection was there")
    assert len(asked) == 1


def test_a_trickled_answer_is_cut_off_at_the_calls_timeout(opened):
    """Every piece comes within the read timeout, so that boto3 itself would wait to the end."""
    stop = threading.Event()

    def trickle(connection):
        for n in range(len(GOOD)):
            connection.sendall(GOOD[n : n + 1])
            if stop.wait(0.3):
                return

    _, api = opened(trickle)
    try:
        trouble = trouble_of(api)
    finally:
        stop.set()
    # Waited for to its end the answer would have been a good one.
    assert trouble.kind is ErrorClass.AMBIGUOUS
    assert "time was over" in trouble.message


def test_over_tls_a_call_is_guarded_in_the_same_way(opened, tls):
    wire, api = opened(good, tls=tls)
    add(api)
    with pytest.raises(CallForbidden):
        add(api, lambda: False)
    assert len(wire.requests) == 1
    assert b"idhub-aws/0 r/1 s/1" in wire.requests[0]


def test_over_tls_a_silent_answer_is_cut_off_too(opened, tls):
    stop = threading.Event()

    def half(connection):
        connection.sendall(GOOD[:40])
        for _ in range(60):
            if stop.wait(0.3):
                return
            connection.sendall(b"x")

    _, api = opened(half, tls=tls)
    try:
        assert trouble_of(api).kind is ErrorClass.AMBIGUOUS
    finally:
        stop.set()


def test_a_certificate_that_is_not_trusted_lets_nothing_out(opened, tls, monkeypatch):
    monkeypatch.delenv("AWS_CA_BUNDLE")
    wire, api = opened(good, tls=tls)
    trouble = trouble_of(api)
    assert trouble.kind is ErrorClass.UNREACHABLE
    assert "certificate" in trouble.message
    assert wire.requests == []


def test_after_a_cut_the_next_call_has_a_connection_of_its_own(opened):
    stop, slow = threading.Event(), [True]

    def once(connection):
        if slow.pop() if slow else False:
            stop.wait(20)
        else:
            connection.sendall(GOOD)

    wire, api = opened(once)
    assert trouble_of(api).kind is ErrorClass.AMBIGUOUS
    stop.set()
    add(api)
    assert wire.connections == 2


@pytest.mark.parametrize(
    "sent", [b"", GOOD[:20], GOOD[:-30], HEAD % 0, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope"]
)
def test_a_broken_answer_may_mean_that_it_happened(opened, sent):
    def broken(connection):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_RDWR)

    wire, api = opened(broken)
    assert trouble_of(api).kind is ErrorClass.AMBIGUOUS
    assert len(wire.requests) == 1, "boto3 must not try again by itself"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_without_a_word_may_mean_that_it_happened(opened, status):
    wire, api = opened(lambda connection: connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status))
    trouble = trouble_of(api)
    assert (trouble.kind, trouble.status) == (ErrorClass.AMBIGUOUS, status)
    assert len(wire.requests) == 1


def test_nobody_there_means_that_nothing_happened(opened):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _, api = opened(good, port)
    assert trouble_of(api).kind is ErrorClass.UNREACHABLE


def test_a_call_that_did_not_come_this_way_is_not_sent(opened):
    """boto3 used directly finds no permission, and no mark."""
    wire, api = opened(good)
    with pytest.raises(CallForbidden):
        api._clients["iam"].get_user()
    assert wire.requests == []


def test_a_password_does_not_leave_with_an_error(opened):
    _, api = opened(lambda connection: connection.shutdown(socket.SHUT_RDWR))
    with pytest.raises(AwsError) as raised:
        api.call("CreateLoginProfile", {"UserName": "alice", "Password": "top-secret"}, "m", lambda: True)
    error = raised.value
    assert (error.__cause__, error.__context__) == (None, None)
    assert "top-secret" not in f"{error!r}{vars(error)}"


def test_many_threads_share_one_client(opened):
    wire, api = opened(good)
    done = []
    threads = [threading.Thread(target=lambda: done.extend(add(api) for _ in range(10))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(wire.requests) == 40
    assert wire.connections <= 4

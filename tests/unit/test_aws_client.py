"""What leaves the room that knows boto3: no call without its user, no parameter in an error, a mark on each."""

import functools
import traceback

import botocore.exceptions
import botocore.session
import pytest

from connector.aws import client as client_module
from connector.aws.client import WITHOUT_USER, BotoApi, ClientSettings, open_api
from connector.aws.errors import AwsError, ErrorClass
from connector.aws.guard import CURRENT, Flight, Watchdog
from connector.aws.mark import Marker
from connector.aws.reads import LISTINGS, read_identity, read_items
from connector.errors import CallForbidden, SettingsError
from connector.model.iam import Facet
from tests.support.wait import wait_until

SETTINGS = ClientSettings("aws-global", 1.0, 2.0, 2, "AKIATEST", "s3cret-key", "http://127.0.0.1:9")


SECRET = "password-1"  # written once: a traceback shows the lines that it passes


def yes():
    return True


@pytest.fixture(scope="module")
def api():
    made = BotoApi(SETTINGS)
    yield made
    made.close()


@functools.cache
def model():
    return botocore.session.Session().get_service_model("iam")


def operations_on_users():
    for name in model().operation_names:
        shape = model().operation_model(name).input_shape
        if shape is not None and "UserName" in shape.members:
            yield name


@pytest.mark.parametrize("params", [{}, {"UserName": ""}, {"UserName": None}])
def test_no_call_on_a_user_leaves_without_naming_one(api, params):
    """In 20 of IAM's operations the name is optional, and its omission acts on the connector itself."""
    names = sorted(operations_on_users())
    assert len(names) > 40
    for name in names:
        with pytest.raises(ValueError, match="UserName"):
            api.call(name, params, "mark", yes)


def test_what_needs_no_user_takes_none():
    for name in WITHOUT_USER - {"GetCallerIdentity"}:
        shape = model().operation_model(name).input_shape
        assert shape is None or "UserName" not in shape.members


def client_error(code, status, message="no"):
    told = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "aws-1"},
    }
    return botocore.exceptions.ClientError(told, "CreateLoginProfile")


def trouble_of(api, monkeypatch, error, *, sent=False):
    def fail(**params):
        CURRENT.flight.sent = sent
        raise error

    monkeypatch.setitem(api._methods, "CreateLoginProfile", fail)
    with pytest.raises(AwsError) as raised:
        api.call("CreateLoginProfile", {"UserName": "alice", "Password": SECRET}, "mark", yes)
    return raised.value


def test_an_answer_of_aws_is_classified(api, monkeypatch):
    trouble = trouble_of(api, monkeypatch, client_error("LimitExceeded", 409))
    assert (trouble.kind, trouble.code, trouble.status) == (ErrorClass.TERMINAL, "LimitExceeded", 409)
    assert (trouble.action, trouble.request_id) == ("CreateLoginProfile", "aws-1")


@pytest.mark.parametrize(
    ("error", "sent", "kind"),
    [
        (botocore.exceptions.ReadTimeoutError(endpoint_url="x"), True, ErrorClass.AMBIGUOUS),
        (botocore.exceptions.ConnectionClosedError(endpoint_url="x"), True, ErrorClass.AMBIGUOUS),
        (botocore.exceptions.HTTPClientError(error="x"), True, ErrorClass.AMBIGUOUS),
        (botocore.exceptions.HTTPClientError(error="x"), False, ErrorClass.UNREACHABLE),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="x"), False, ErrorClass.UNREACHABLE),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="x"), False, ErrorClass.UNREACHABLE),
        (botocore.exceptions.ProxyConnectionError(proxy_url="x"), False, ErrorClass.UNREACHABLE),
        (botocore.exceptions.SSLError(endpoint_url="x", error="bad"), False, ErrorClass.UNREACHABLE),
        (botocore.exceptions.NoCredentialsError(), False, ErrorClass.OUR_CREDENTIALS),
        (
            botocore.exceptions.CredentialRetrievalError(provider="x", error_msg="y"),
            False,
            ErrorClass.OUR_CREDENTIALS,
        ),
    ],
)
def test_the_socket_tells_what_a_missing_answer_means(api, monkeypatch, error, sent, kind):
    assert trouble_of(api, monkeypatch, error, sent=sent).kind is kind


def test_an_error_brings_no_parameter_along(api, monkeypatch):
    lost = botocore.exceptions.ConnectionClosedError(endpoint_url="x", request=f"Password={SECRET}")
    trouble = trouble_of(api, monkeypatch, lost, sent=True)
    assert trouble.__context__ is None
    assert trouble.__cause__ is None
    assert SECRET not in "".join(traceback.format_exception(trouble))
    assert SECRET not in repr(trouble)


def test_an_answer_that_was_cut_off_is_no_answer(api, monkeypatch):
    def answer(**params):
        CURRENT.flight.expired = True
        return {"LoginProfile": {}}

    monkeypatch.setitem(api._methods, "CreateLoginProfile", answer)
    with pytest.raises(AwsError) as raised:
        api.call("CreateLoginProfile", {"UserName": "alice"}, "mark", yes)
    assert raised.value.kind is ErrorClass.AMBIGUOUS


def test_the_settings_show_no_secret():
    assert "s3cret" not in repr(SETTINGS)


def test_a_profile_that_does_not_exist_is_a_wrong_setting(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(SettingsError, match="nowhere"):
        open_api(ClientSettings("aws-global", 1.0, 2.0, 2))


def test_botocore_logs_no_bodies():
    for name in ("botocore", "urllib3", "boto3"):
        assert client_module.logging.getLogger(f"{name}.endpoint").getEffectiveLevel() >= client_module.logging.INFO


# -- the guard -----------------------------------------------------------------------------------------------------


class FakeConnection:
    flight = None
    sock = None


def test_a_call_that_may_not_leave_is_not_sent():
    flight = Flight("mark", lambda: False, 10.0)
    with pytest.raises(CallForbidden):
        flight.leave(FakeConnection())
    assert not flight.sent


def test_a_call_whose_time_is_over_is_not_sent_and_nobody_is_asked():
    asked = []
    flight = Flight("mark", lambda: bool(asked.append(1)), 0.0)
    with pytest.raises(TimeoutError):
        flight.leave(FakeConnection())
    assert (flight.sent, asked) == (False, [])


def test_the_watchdog_ends_only_what_is_late():
    watchdog = Watchdog(0.05)
    try:
        done, late = Flight("a", yes, 0.05), Flight("b", yes, 0.05)
        for flight in (done, late):
            watchdog.watch(flight)
            flight.leave(FakeConnection())
        done.end()
        wait_until(lambda: late.expired, "the late call is ended")
        assert not done.expired
    finally:
        watchdog.close()


# -- marks ---------------------------------------------------------------------------------------------------------


def test_a_mark_names_request_and_step_and_proves_itself():
    marker = Marker(b"key")
    mark = marker.of("req/1 ü", "Alice").mark(3, "AddUserToGroup")
    product, request_id, step, mac = mark.split(" ")
    assert product.startswith("idhub-aws/")
    assert (request_id, step) == ("r/req%2F1%20%C3%BC", "s/3")
    assert marker.is_ours(mac.removeprefix("m/"), "req/1 ü", 3, "AddUserToGroup", "alice")
    assert not marker.is_ours(mac.removeprefix("m/"), "req/1 ü", 3, "AddUserToGroup", "bob")
    assert not marker.is_ours(mac.removeprefix("m/"), "req/1 ü", 3, "RemoveUserFromGroup", "alice")
    assert not Marker(b"other").is_ours(mac.removeprefix("m/"), "req/1 ü", 3, "AddUserToGroup", "alice")


def test_without_a_key_a_mark_is_a_label_that_proves_nothing():
    marker = Marker(None)
    assert " m/" not in marker.of("req-1", "alice").mark(1, "CreateUser")
    assert not marker.is_ours("", "req-1", 1, "CreateUser", "alice")


# -- reads ---------------------------------------------------------------------------------------------------------


def test_every_listing_is_one_of_iams_that_can_be_paged():
    for facet, listing in LISTINGS.items():
        operation = model().operation_model(listing.action)
        assert {"UserName", "Marker", "MaxItems"} <= operation.input_shape.members.keys()
        assert {listing.result, "IsTruncated", "Marker"} <= operation.output_shape.members.keys(), facet
    assert set(LISTINGS) == set(Facet) - {Facet.IDENTITY, Facet.LOGIN}


def test_every_page_is_followed():
    asked = []

    def ask(action, params):
        asked.append(params)
        number = len(asked)
        page = {"Groups": [{"GroupName": f"g{number}"}], "IsTruncated": number < 3}
        return {**page, "Marker": f"m{number}"} if number < 3 else page

    items = read_items(ask, "alice", Facet.GROUPS)
    assert [item.id for item in items or ()] == ["g1", "g2", "g3"]
    assert [params.get("Marker") for params in asked] == [None, "m1", "m2"]
    assert {params["MaxItems"] for params in asked} == {1000}


def missing(action, params):
    raise AwsError(ErrorClass.MISSING, "NoSuchEntity", "The user with name alice cannot be found.", action=action)


def test_an_absent_user_is_no_error():
    assert read_identity(missing, "alice") is None
    assert read_items(missing, "alice", Facet.GROUPS) is None
    assert read_items(missing, "alice", Facet.LOGIN) == ()


def test_any_other_error_is_one():
    def refused(action, params):
        raise AwsError(ErrorClass.TERMINAL, "AccessDenied", "no", action=action)

    for read in (lambda: read_identity(refused, "a"), lambda: read_items(refused, "a", Facet.LOGIN)):
        with pytest.raises(AwsError):
            read()

"""Names and ARNs, at their edges."""

import pytest

from connector.plan.names import is_path, is_policy_name, is_user_name, request_tag, to_arn, user_key


@pytest.mark.parametrize("name", ["a", "A.b-c_d@e,f=g+h", "x" * 64])
def test_names_that_iam_takes(name):
    assert is_user_name(name)


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a/b", "müller", "a\n", "a*", "a\x00", "a:b"])
def test_names_that_iam_refuses(name):
    assert not is_user_name(name)


@pytest.mark.parametrize("path", ["/", "/a/", "/a/b-c/", f"/{'x' * 510}/"])
def test_paths(path):
    assert is_path(path)


@pytest.mark.parametrize("path", ["", "a", "/a", "a/", "/a b/", "/ü/", f"/{'x' * 511}/"])
def test_no_paths(path):
    assert not is_path(path)


def test_a_policy_may_be_named_with_its_path():
    assert is_policy_name("ReadOnlyAccess")
    assert is_policy_name("job-function/ViewOnlyAccess")
    assert not is_policy_name("job-function/")
    assert not is_policy_name("x" * 129)


def test_an_arn_is_taken_apart():
    arn = to_arn("arn:aws-us-gov:iam::123456789012:group/team/blue/admins")
    assert arn is not None
    assert (arn.partition, arn.account, arn.kind, arn.resource, arn.name) == (
        "aws-us-gov",
        "123456789012",
        "group",
        "team/blue/admins",
        "admins",
    )


@pytest.mark.parametrize(
    "text", ["", "arn:aws:s3:::bucket", "arn:aws:iam::12345:group/x", "group/admins", "arn:aws:iam"]
)
def test_what_is_no_arn(text):
    assert to_arn(text) is None


def test_a_user_has_one_key_whatever_the_case():
    assert user_key("1", "Bob") == user_key("1", "bOB") == "1/bob"


def test_a_request_id_that_no_tag_can_hold_is_hashed():
    assert request_tag("7c7e-42") == "7c7e-42"
    assert request_tag("a|b").startswith("sha256:")
    assert request_tag("x" * 257) != request_tag("x" * 258)
    assert len(request_tag("ü%" * 200)) <= 256

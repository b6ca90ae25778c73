"""Settings: environment before .env before YAML, every mistake told at once with the nearest known name."""

import pytest

from connector.errors import SettingsError
from connector.settings import known_names, load_settings


def load(tmp_path, environ=None, dotenv="", **kwargs):
    file = tmp_path / ".env"
    file.write_text(dotenv, encoding="utf-8")
    return load_settings(environ or {}, file, **kwargs)


def problems_of(tmp_path, environ, dotenv=""):
    with pytest.raises(SettingsError) as wrong:
        load(tmp_path, environ, dotenv)
    return {problem.name: problem.problem for problem in wrong.value.problems}


def test_everything_has_a_default(tmp_path):
    settings = load(tmp_path)
    assert settings.topic_prefix == "idhub.aws"
    assert settings.lease_s == settings.session_timeout_s - settings.call_timeout_s


def test_the_environment_goes_before_the_file_and_that_before_yaml(tmp_path):
    yaml = tmp_path / "settings.yaml"
    yaml.write_text("group: from-yaml\ntopic_prefix: from-yaml\ncall_threads: 3\n", encoding="utf-8")
    settings = load(
        tmp_path,
        {"IDHUB_AWS_CONFIG": str(yaml), "IDHUB_AWS_GROUP": "from-env"},
        "IDHUB_AWS_GROUP=from-file\nIDHUB_AWS_TOPIC_PREFIX=from-file\n",
    )
    assert (settings.group, settings.topic_prefix, settings.call_threads) == ("from-env", "from-file", 3)


def test_the_ecosystems_own_names_are_read(tmp_path):
    settings = load(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"})
    assert settings.bootstrap_servers == "kafka:9092"


def test_lists_are_separated_by_commas(tmp_path):
    settings = load(
        tmp_path, {"IDHUB_AWS_PROTECTED_PRINCIPALS": "root-*, breakglass ,", "IDHUB_AWS_REPLY_TOPICS": "a,b"}
    )
    assert settings.protected_principals == ("root-*", "breakglass")
    assert settings.reply_topics == ("a", "b")


def test_a_yaml_list_is_a_list(tmp_path):
    yaml = tmp_path / "settings.yaml"
    yaml.write_text("protected_principals: [root, 'break-*']\n", encoding="utf-8")
    settings = load(tmp_path, {"IDHUB_AWS_CONFIG": str(yaml)})
    assert settings.protected_principals == ("root", "break-*")


def test_every_mistake_is_told_at_once(tmp_path):
    told = problems_of(
        tmp_path,
        {
            "IDHUB_AWS_CALL_TIMEOUT": "5",
            "IDHUB_AWS_CALL_THREADS": "many",
            "IDHUB_AWS_PARTITIONS": "0",
            "IDHUB_AWS_IDHUB_KEY": str(tmp_path / "missing.json"),
        },
    )
    assert "IDHUB_AWS_CALL_TIMEOUT_S" in told["IDHUB_AWS_CALL_TIMEOUT"]
    assert "no such file" in told["IDHUB_AWS_IDHUB_KEY"]
    assert {"IDHUB_AWS_CALL_THREADS", "IDHUB_AWS_PARTITIONS"} <= told.keys()


def test_a_misspelt_name_in_a_file_is_told_too(tmp_path):
    told = problems_of(tmp_path, {}, "IDHUB_AWS_GRUOP=x\n")
    assert "IDHUB_AWS_GROUP" in told["IDHUB_AWS_GRUOP"]


@pytest.mark.parametrize(
    "environ",
    [
        {"IDHUB_AWS_SESSION_TIMEOUT_S": "12"},
        {"IDHUB_AWS_REBALANCE_TIMEOUT_S": "29"},
        {"IDHUB_AWS_CONNECT_TIMEOUT_S": "10"},
        {"IDHUB_AWS_ACCESS_KEY_ID": "AKIA"},
        {"IDHUB_AWS_SECRET_ACCESS_KEY": "secret"},
    ],
)
def test_settings_that_do_not_go_together_are_refused(tmp_path, environ):
    assert problems_of(tmp_path, environ)


def test_keys_that_belong_together_are_taken_together(tmp_path):
    settings = load(tmp_path, {"AWS_ACCESS_KEY": "AKIA", "IDHUB_AWS_SECRET_ACCESS_KEY": "s3cret"})
    assert settings.access_key_id == "AKIA"
    assert settings.secret_access_key is not None
    assert "s3cret" not in repr(settings)


def test_a_wrong_value_is_not_repeated(tmp_path):
    told = problems_of(tmp_path, {"IDHUB_AWS_SECRET_ACCESS_KEY": "s3cret"})
    assert "s3cret" not in str(told)


@pytest.mark.parametrize("content", ["[1, 2]", "a: [b", "42"])
def test_a_yaml_file_that_holds_no_settings_is_told(tmp_path, content):
    yaml = tmp_path / "settings.yaml"
    yaml.write_text(content, encoding="utf-8")
    assert "IDHUB_AWS_CONFIG" in problems_of(tmp_path, {"IDHUB_AWS_CONFIG": str(yaml)})


def test_a_yaml_file_that_is_not_there_is_told(tmp_path):
    assert "cannot read" in problems_of(tmp_path, {"IDHUB_AWS_CONFIG": str(tmp_path / "no.yaml")})["IDHUB_AWS_CONFIG"]


def test_settings_cannot_be_changed(tmp_path):
    settings = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.group = "other"


def test_names_of_other_programs_are_no_mistake(tmp_path):
    load(tmp_path, {"AWS_PROFILE": "x", "IDHUB_HOSTNAME": "y", "HOME": "/"})


def test_every_setting_has_a_name_and_a_meaning():
    names = known_names()
    assert {"IDHUB_AWS_GROUP", "KAFKA_BOOTSTRAP_SERVERS", "AWS_ACCESS_KEY", "IDHUB_AWS_CONFIG"} <= set(names)


# -- one name or the other, one source or the other ----------------------------------------------------------------


def test_the_environment_goes_first_under_whichever_of_its_names(tmp_path):
    yaml = tmp_path / "settings.yaml"
    yaml.write_text("kafka_bootstrap_servers: yaml:9092\n", encoding="utf-8")
    settings = load(
        tmp_path,
        {"IDHUB_AWS_CONFIG": str(yaml), "IDHUB_AWS_KAFKA_BOOTSTRAP_SERVERS": "env:9092"},
        "KAFKA_BOOTSTRAP_SERVERS=file:9092\n",
    )
    assert settings.bootstrap_servers == "env:9092"


def test_a_name_that_nobody_reads_is_a_mistake(tmp_path):
    """A field's own name is none where an alias stands for it: it would be ignored without a word."""
    told = problems_of(tmp_path, {"IDHUB_AWS_BOOTSTRAP_SERVERS": "kafka:9092"})
    assert "IDHUB_AWS_KAFKA_BOOTSTRAP_SERVERS" in told["IDHUB_AWS_BOOTSTRAP_SERVERS"]


def test_a_wrong_value_is_told_under_the_name_that_was_used(tmp_path):
    told = problems_of(tmp_path, {"IDHUB_AWS_KAFKA_BOOTSTRAP_SERVERS": "kafka"})
    assert list(told) == ["IDHUB_AWS_KAFKA_BOOTSTRAP_SERVERS"]


def test_the_guides_secret_counts_beside_the_guides_key_alone(tmp_path):
    given = {"AWS_SECRET_ACCESS_KEY": "s3cret"}
    assert load(tmp_path, given).secret_access_key is None
    settings = load(tmp_path, {**given, "AWS_ACCESS_KEY": "AKIA"}, "AWS_SECRET_ACCESS_KEY=from-file\n")
    assert settings.secret_access_key.get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    "servers", ["kafka:9092", "a:1,b:2", "a:1, b:2", "127.0.0.1:9092", "[::1]:9092", "my-host.local:1"]
)
def test_addresses_that_are_taken(tmp_path, servers):
    assert load(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": servers}).bootstrap_servers == servers


@pytest.mark.parametrize(
    "servers", ["kafka", "kafka:x", "http://kafka:9092", "a:1,,b:2", "a:1 b:2", ":9092", "::1:9092"]
)
def test_addresses_that_nobody_could_connect_to(tmp_path, servers):
    assert "host:port" in problems_of(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": servers})["KAFKA_BOOTSTRAP_SERVERS"]


def test_what_does_not_go_together_is_told_at_once(tmp_path):
    told = problems_of(
        tmp_path,
        {
            "IDHUB_AWS_SESSION_TIMEOUT_S": "5",
            "IDHUB_AWS_REBALANCE_TIMEOUT_S": "6",
            "IDHUB_AWS_CONNECT_TIMEOUT_S": "30",
            "IDHUB_AWS_ACCESS_KEY_ID": "AKIA",
        },
    )
    assert set(told) == {
        f"IDHUB_AWS_{n}" for n in ("SESSION_TIMEOUT_S", "REBALANCE_TIMEOUT_S", "CONNECT_TIMEOUT_S", "ACCESS_KEY_ID")
    }


# -- files ---------------------------------------------------------------------------------------------------------


def yaml_problems(tmp_path, content):
    yaml = tmp_path / "settings.yaml"
    yaml.write_bytes(content if isinstance(content, bytes) else content.encode())
    return problems_of(tmp_path, {"IDHUB_AWS_CONFIG": str(yaml)})


def test_a_name_with_nothing_behind_it_is_not_given(tmp_path):
    yaml = tmp_path / "settings.yaml"
    yaml.write_text("idhub_key:\ngroup: blue\nlog_json: true\n", encoding="utf-8")
    settings = load(tmp_path, {"IDHUB_AWS_CONFIG": str(yaml)})
    assert (settings.idhub_key, settings.group, settings.log_json) == (None, "blue", True)


def test_the_yaml_file_may_be_named_in_dotenv(tmp_path):
    yaml = tmp_path / "settings.yaml"
    yaml.write_text("group: blue\n", encoding="utf-8")
    assert load(tmp_path, {}, f"IDHUB_AWS_CONFIG={yaml}\n").group == "blue"


def test_a_mapping_is_no_value(tmp_path):
    assert "no mapping" in yaml_problems(tmp_path, "group: {a: b}")["IDHUB_AWS_GROUP"]


def test_a_file_that_is_no_text_is_told(tmp_path):
    assert "cannot read" in yaml_problems(tmp_path, b"\xff\xfe\x00")["IDHUB_AWS_CONFIG"]


def test_a_dotenv_that_is_no_text_is_told(tmp_path):
    file = tmp_path / "broken.env"
    file.write_bytes(b"IDHUB_AWS_GROUP=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"broken\.env: cannot be read"):
        load_settings({}, file)


def test_what_is_wrong_with_a_yaml_file_does_not_quote_it(tmp_path):
    told = yaml_problems(tmp_path, "secret_access_key: s3cret: x\n")["IDHUB_AWS_CONFIG"]
    assert "line 1" in told
    assert "s3cret" not in told

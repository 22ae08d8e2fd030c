import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from commands.settings import Settings, SettingsError, declared, mask
from engines.secret import kept_secret

S3 = {"S3_ENDPOINT_URL": "https://s3.example/", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"}


def test_nothing_set_means_the_defaults_and_embedded_engines() -> None:
    settings = Settings.load({})
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8000, Path(".deadwax"))
    assert (settings.database_url, settings.redis_url, settings.s3_endpoint_url) == ("", "", "")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.load({"DEADWAX_PORT": " ", "DATABASE_URL": ""}) == Settings.load({})


def test_values_are_converted() -> None:
    settings = Settings.load(
        {
            **S3,
            "DEADWAX_PORT": "9000",
            "DEADWAX_DATA": "~/records",
            "DEADWAX_TRUSTED_PROXIES": "10.1.2.3, 10.0.0.0/8,",
            "DEADWAX_BODY_TIMEOUT_SECONDS": "1.5",
            "DEADWAX_ASSET_TYPES": "Audio/*, application/zip,",
            "S3_PUBLIC_URL": "https://files.example:8443/",
            "PUBLIC_URL": "https://shop.example/",
        }
    )
    assert settings.port == 9000
    assert settings.data == Path("~/records").expanduser()
    assert settings.trusted_proxies == ("10.1.2.3/32", "10.0.0.0/8")
    assert settings.body_timeout_seconds == 1.5
    assert settings.asset_types == ("audio/*", "application/zip")
    assert settings.s3_public_url == "https://files.example:8443"
    assert (settings.public_url, settings.s3_endpoint_url) == ("https://shop.example", "https://s3.example")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("DEADWAX_PORT", "http", "a number from 1 to 65535"),
        ("DEADWAX_PORT", "0", "a number from 1 to 65535"),
        ("DEADWAX_API_PROCESSES", "-1", "a number from 1 to 256"),
        ("DEADWAX_LOG_FORMAT", "xml", "console, json"),
        ("DEADWAX_TRUSTED_PROXIES", "10.0.0.0/8,proxy", "IP addresses or CIDRs"),
        ("DATABASE_URL", "mysql://u:hush@h/d", "postgresql://"),
        ("REDIS_URL", "localhost:6379", "redis://"),
        ("S3_BUCKET", "My Files", "3 to 63"),
        ("S3_PUBLIC_URL", "https://cdn.example/files", "no path"),
        ("DEADWAX_ASSET_TYPES", "audio/*,zip", "content types"),
        ("PUBLIC_URL", "shop.example", "https://host"),
        ("SMTP_URL", "mail.example:587", "smtp://user:password@host:587"),
        ("MAIL_FROM", "Shop <shop@example.com>", "an address"),
        ("MAIL_FROM", "shop@example.com\r\nBcc: a@example.com", "an address"),
        ("MAIL_FROM", "shop..x@example.com", "an address"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_variable(variable: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({variable: value})
    line = str(caught.value)
    assert line.startswith(f"{variable}: expected ")
    assert expected in line
    assert "\n" not in line
    assert "hush" not in line


def test_an_s3_server_without_keys_is_refused() -> None:
    with pytest.raises(SettingsError, match="S3_ACCESS_KEY"):
        Settings.load({"S3_ENDPOINT_URL": S3["S3_ENDPOINT_URL"]})


def test_a_process_that_needs_an_engine_says_which_variable_is_missing() -> None:
    with pytest.raises(SettingsError, match="REDIS_URL is not set"):
        Settings.load({"DATABASE_URL": "postgresql://h/d"}).require("database_url", "redis_url")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:hush@h:5432/d", "postgresql://u:****@h:5432/d"),
        ("postgresql://u:hu@sh:@h/d", "postgresql://u:****@h/d"),
        ("redis://:hush@h:6379/0", "redis://:****@h:6379/0"),
        (
            "postgresql:///d?user=u&password=hush&sslmode=require",
            "postgresql:///d?user=u&password=****&sslmode=require",
        ),
        ("postgresql://h:5432/d", "postgresql://h:5432/d"),
        ("unix:///run/valkey.sock?db=0", "unix:///run/valkey.sock?db=0"),
    ],
)
def test_passwords_inside_urls_are_masked(text: str, shown: str) -> None:
    assert mask(text) == shown


def test_every_setting_is_shown_with_its_source_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for _, setting in declared().values():
        monkeypatch.delenv(setting.variable, raising=False)
    for variable, value in {**S3, "S3_SECRET_KEY": "hush", "DATABASE_URL": "postgresql://u:hush@h/d"}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("DEADWAX_PORT", "8000")  # the default's value, and yet set
    as_table = CliRunner().invoke(app, ["settings"])
    as_json = CliRunner().invoke(app, ["settings", "--json"])
    assert (as_table.exit_code, as_json.exit_code) == (0, 0)
    assert "hush" not in as_table.output + as_json.output
    rows = {row["variable"]: row for row in json.loads(as_json.output)}
    assert list(rows) == [setting.variable for _, setting in declared().values()]
    assert all(variable in as_table.output for variable in rows)
    assert rows["DATABASE_URL"] == {
        "name": "database_url",
        "variable": "DATABASE_URL",
        "value": "postgresql://u:****@h/d",
        "source": "environment",
        "meaning": "PostgreSQL 15 or later; empty: embedded",
    }
    assert rows["DEADWAX_PORT"]["source"] == "environment"
    assert (rows["DEADWAX_HOST"]["value"], rows["DEADWAX_HOST"]["source"]) == ("127.0.0.1", "default")
    assert rows["S3_SECRET_KEY"]["value"] == "****"


def test_a_secret_is_not_repeated_where_it_is_wrong() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"DEADWAX_SECRET_KEY": "hush"})
    assert str(caught.value) == "DEADWAX_SECRET_KEY: expected a secret of 16 characters or more, not '****'"


def test_mails_need_to_know_where_they_lead_and_whom_they_are_from() -> None:
    mail = {"SMTP_URL": "smtp://u:p@mail.example:587?starttls=always", "MAIL_FROM": "shop@example.com"}
    with pytest.raises(SettingsError, match="PUBLIC_URL"):
        Settings.load(mail)
    settings = Settings.load({**mail, "PUBLIC_URL": "https://shop.example"})
    [shown] = [row.value for row in settings.shown() if row.name == "smtp_url"]
    assert shown == "smtp://u:****@mail.example:587?starttls=always"


def test_without_a_public_address_links_lead_to_this_machine() -> None:
    assert Settings(public_url="https://shop.example").base_url == "https://shop.example"
    assert Settings(host="::", port=9000).base_url == "http://[::1]:9000"
    assert Settings(host="127.0.0.1").base_url == "http://127.0.0.1:8000"


def test_a_data_folder_keeps_its_secret_for_its_owner_alone(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path)
    assert len(secret) >= 32
    assert kept_secret(tmp_path) == secret
    [path] = tmp_path.iterdir()
    assert path.stat().st_mode & 0o077 == 0

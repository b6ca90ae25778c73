"""docs/settings.md is what the settings say."""

from pathlib import Path

from connector.settings import settings_table

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_table_of_settings_is_true():
    """Every setting, its default and its meaning stand in the docs as in the code."""
    assert settings_table() in DOCS.read_text(encoding="utf-8")

"""Phrases that are hard to understand are found wherever users read them, and no others."""

import pytest

from tools.lint_language import checked, findings, report


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A name\nthat stands twice.", [(2, "stands twice")]),
        ('"""Text.\n\nA run goes\non."""', [(3, "goes on")]),
        ("# It was broken\n    # off at once.", [(1, "broken off")]),
        ('raise E(\n    "a stands "\n    f"twice")', [(2, "stands twice")]),
        ("| a | Once more |", [(1, "Once more")]),
        ("lists beside it, beside that", [(1, "beside"), (1, "beside")]),
        ("what is planted and what came back", [(1, "came back"), (1, "is planted")]),
        ("one’s own, one's own", [(1, "one's own"), (1, "one’s own")]),
    ],
)
def test_a_phrase_is_found_with_its_line(text, expected):
    assert [(line, phrase) for line, phrase, _ in findings(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "it stands for many models",
        "names_beside(peer, two_besides)",
        "reset by peer, twice as large",
        "config/peers.yaml and --peers",
        "with planted activity, going only once",
    ],
)
def test_other_words_are_not(text):
    assert findings(text) == []


def test_each_line_names_file_line_and_what_to_write_instead(tmp_path):
    (tmp_path / "a.md").write_text("Fine.\nMade anew.\n")
    (tmp_path / "CHANGELOG.md").write_text("# C\n\n## Unreleased\n\nanew\n\n## 1\n\nanew\n")
    (tmp_path / "a.svg").write_text("anew")
    assert list(report(tmp_path, ["a.md", "CHANGELOG.md", "a.svg"])) == [
        "a.md:2: anew -> again",
        "CHANGELOG.md:5: anew -> again",
    ]


def test_text_code_and_configuration_are_checked_but_not_what_is_written_from_them():
    for path in (
        "README.md", "docs/tutorial.ipynb", "vega/model.py", "rules/train.smk", "Makefile",
        "config/config.yaml", "config/claims.tsv", "report/fig1.rst", "report/report.html.jinja",
        ".github/workflows/ci.yml", "envs/Containerfile", ".ci/run",
    ):  # fmt: skip
        assert checked(path), path
    for path in ("envs/vega.yaml", "config/schemas/a.schema.json", "requirements.lock"):
        assert not checked(path), path

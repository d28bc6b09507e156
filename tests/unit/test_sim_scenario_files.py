"""Scenario files: all of ours can be read, and whatever is wrong with one is said with file, line and key."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_sim.scenario.library import find, folder, scenarios
from dsm_sim.scenario.reading import ScenarioError, parse_scenario

GOOD = """\
title = "Everything at once"
paper = [
  { kind = "text", count = 2 },
]

[scanner]
images-per-minute = 60

[scanner.quirks]
three-pass = true

[server]
faults = [{ on = "SendImage", nth = 2, do = "lose-answer" }]

[[step]]
do = "scan"
exit = 3
meanwhile = [{ when = "image 3", do = "unplug" }]

[[step]]
do = "plug"
address = "001:007"

[[step]]
do = "scan"

[[step.meanwhile]]
when = "sent 1"
do = "signal"
signal = "KILL"

[expect]
kept = 2
"""


def test_every_scenario_can_be_read_and_has_a_title():
    entries = list(scenarios())
    assert len(entries) >= 30
    assert all(entry.scenario.title for entry in entries)
    assert len({entry.scenario.title for entry in entries}) == len(entries)


def test_the_table_of_complaints_names_just_the_scenarios_that_show_them():
    table: dict[str, set[str]] = {}
    for line in (folder() / "README.md").read_text("utf-8").splitlines():
        if row := re.match(r"\| (R\d+) \|.*\| ([^|]*) \|$", line):
            for name in re.findall(r"`([\w-]+)`", row[2]):
                table.setdefault(name, set()).add(row[1])
    assert table == {
        entry.name: set(entry.scenario.complaints) for entry in scenarios() if entry.scenario.complaints
    }


def test_the_example_is_good():
    scenario = parse_scenario(GOOD, "good.toml")
    assert scenario.step[0].meanwhile[0].when == "image 3"
    assert scenario.step[2].meanwhile[0].signal == "KILL"
    assert scenario.expect.kept == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("title =", "titel =", 1, "titel"),
        ("images-per-minute = 60", 'images-per-minute = "fast"', 7, "scanner.images-per-minute"),
        ("three-pass = true", "tree-pass = true", 10, "scanner.quirks.tree-pass"),
        ("three-pass = true", "three-pass = 1", 10, "scanner.quirks.three-pass"),
        ("[scanner.quirks]", "[scanner.quirk]", 9, "scanner.quirk"),
        ('do = "lose-answer"', 'do = "loose-answer"', 13, "server.faults[1]"),
        ('on = "SendImage"', 'on = "SendImages"', 13, "server.faults[1]"),
        ('do = "scan"\nexit = 3', 'do = "skan"\nexit = 3', 16, "step[1]"),
        ("exit = 3", 'exit = "three"', 17, "step[1].exit"),
        ("exit = 3", 'says = "("', 15, "step[1]"),
        ('when = "image 3"', 'when = "page three"', 18, "step[1].meanwhile[1]"),
        ('when = "image 3", ', "", 15, "step[1]"),
        ('address = "001:007"', "address = 7", 22, "step[2].address"),
        ('do = "plug"', 'do = "plug"\nwhen = "sent 1"', 1, ""),
        ('signal = "KILL"', 'signal = "STOP"', 30, "step[3].meanwhile[1].signal"),
        ("kept = 2", "kept = 2.5", 33, "expect.kept"),
        ("kept = 2", "keptt = 2", 33, "expect.keptt"),
        ("kept = 2", "kept = ", 33, ""),
        ("[expect]", "[expect", 32, ""),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(old, new, line, key):
    assert old in GOOD
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(GOOD.replace(old, new, 1), "mine.toml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"mine.toml, line {line}: {key}"), message


@pytest.mark.parametrize("name", ["no-such", "no/such.toml", "../secret", "", "."])
def test_a_scenario_that_is_not_there(name):
    with pytest.raises(ScenarioError):
        find(name)


@given(st.data())
def test_a_damaged_file_is_refused_or_read(data):
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 30)))
    text = GOOD[:start] + data.draw(st.text(max_size=10)) + GOOD[end:]
    try:
        parse_scenario(text, "damaged.toml")
    except ScenarioError as error:
        message = str(error)
        number = re.match(r"damaged\.toml, line (\d+): ", message)
        assert number and 1 <= int(number[1]) <= len(text.splitlines()) + 1, message


def test_the_readmes_example_can_be_read():
    text = (folder() / "README.md").read_text("utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(example)["expect"] == {"fed": 6}
    parse_scenario(example, "README.md")

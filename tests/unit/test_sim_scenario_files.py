"""Scenario files: all of ours can be read, and whatever is wrong with one is said with file, line and key."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_sim.scenario.library import find, folder, scenarios
from dsm_sim.scenario.positions import lines_of
from dsm_sim.scenario.reading import ScenarioError, parse_scenario
from dsm_sim.scenario.verdict import run_scenario

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
        ('do = "plug"', 'do = "plug"\nwhen = "sent 1"', 22, "step[2].when"),
        (
            'do = "plug"',
            'do = "network"\n[step.behaviour]\n[[step]]\ndo = "plug"',
            20,
            "step[2]: changes the network",
        ),
        (
            'do = "signal"\nsignal = "KILL"',
            'do = "network"\nbehaviour = {}',
            27,
            "step[3].meanwhile[1]: changes the network",
        ),
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


@pytest.mark.parametrize(
    ("paper", "line", "key"),
    [
        ('[\n  { kind = "text" },\n  { kind = "tekst" },\n]', 4, "paper[2].kind"),
        ('[\n  { kind = "text" }, { kind = "form",\n count = "x" },\n]', None, ""),  # no newline in inline tables
        ('[\n  # { kind = "form" },\n  { kind = "text" },\n\n  { kind = "tekst" },\n]', 6, "paper[2].kind"),
        ('[\n  { file = "a]},{#.png" }, { file = \'[{"\', dpi = 100 },\n  { kind = 1 },\n]', 4, "paper[3].kind"),
        ('[\n  { file = """a\n\\"""b}]\n""" },\n  { kind = 1 },\n]', 6, "paper[2].kind"),
        ("[\n  { file = '''a\n]\\''' },\n  { kind = 1 },\n]", 5, "paper[2].kind"),
        ('[\n  { "kind" = "text" }\n  ,\n  { \'kind\' = "form", "count" = 0.5 }]', 5, "paper[2].count"),
    ],
)
def test_an_item_of_an_array_is_told_by_its_own_line(paper, line, key):
    text = f'title = "t"\npaper = {paper}\n'
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "mine.toml")
    if line is None:
        assert "not valid TOML" in str(caught.value)
    else:
        assert str(caught.value).startswith(f"mine.toml, line {line}: {key}: ")


def test_lines_of_everything_that_toml_can_say():
    text = """
a.b."c d".e = 1979-05-27 07:32:00 # [x]
numbers = [ 1.5, -2,
  [3e7, inf],
  1987-07-05T17:45:00Z ]
[ x . 'y' ]  # comment
z = { q.r = [
  true ] }
[[ t ]]
[[t.u]]
v = '''
'''
[[t]]
[t.w]
k = ""
"""
    tomllib.loads(text)
    found = lines_of(text)
    assert found[("a", "b", "c d", "e")] == 2
    assert found[("numbers", 2)] == found[("numbers", 2, 1)] == 4
    assert found[("numbers", 3)] == 5
    assert found[("x", "y")] == 6
    assert found[("x", "y", "z", "q", "r", 0)] == 8
    assert (found[("t", 0)], found[("t", 0, "u", 0)], found[("t", 0, "u", 0, "v")]) == (9, 10, 11)
    assert (found[("t", 1)], found[("t", 1, "w", "k")]) == (13, 15)


@pytest.mark.parametrize("entry", list(scenarios()), ids=lambda each: each.name)
def test_lines_of_all_that_scenarios_say(entry):
    text = entry.path.read_text("utf-8")
    found = lines_of(text)
    lines = text.splitlines()
    for place in _places(tomllib.loads(text), ()):
        key = next(each for each in reversed(place) if isinstance(each, str))
        assert place in found, place
        assert isinstance(place[-1], int) or key in lines[found[place] - 1]


def _places(value, place):
    if place:
        yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from _places(each, (*place, key))


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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('title = "x"\n[expect]\npace = nan\n', "line 3: expect.pace: expected a number that has an end"),
        ('title = "x"\n[server]\nclock-offset-s = inf\n', "line 3: server.clock-offset-s: expected a number"),
        ("a = " + "[" * 5000 + "]" * 5000, "line 1: brackets within brackets"),
        ('title = ""', "line 1: title: Expected `str` of length >= 1"),
        ('title = "x"\nstep = []', "line 2: step: Expected `array` of length >= 1"),
        ('title = "x"\n[expect]\nviolations = ["nope"]', "line 3: expect.violations: the server has no rule nope"),
        ('title = "x"\nwaits-for = "y"', "line 1: waits-for and fails-with go together"),
        ('title = "x"\n[device.scanner]\nsince = 2026-01-01', "line 2: device: Expected"),
        ('title = "x"\n[process]\ndpi = 0', "line 3: process.dpi: Expected `int` >= 1"),
        ('title = "x"\n[process]\nroot-name = "a\\u0001"', "line 3: process.root-name: Expected `str` matching"),
        ('title = "x"\nglass = { kind = "text", count = 2 }', "line 2: glass.count: one sheet lies on the glass"),
        (
            'title = "x"\n[[step]]\ndo = "plug"\naddress = "bad"',
            "line 4: step[1].address: Expected `str` matching",
        ),
        ('title = "x"\n[[step]]\ndo = "wait"\nseconds = -1', "line 4: step[1].seconds: Expected `float` >= 0"),
        ('title = "x"\n[[step]]\ndo = "command"\narguments = []', "line 4: step[1].arguments: Expected `array`"),
    ],
)
def test_nonsense_is_refused_where_it_stands(text, problem):
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "mine.toml")
    assert str(caught.value).startswith(f"mine.toml, {problem}"), str(caught.value)


def test_paper_that_cannot_be_made_is_refused_before_anything_moves(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "x"\n[[step]]\ndo = "scan"\n'
        'meanwhile = [{ when = "created", do = "load", paper = [{ file = "missing.png" }] }]\n'
    )
    with pytest.raises(ScenarioError, match=r"mine\.toml: .*missing\.png") as caught:
        run_scenario(find(str(path)))
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "x"\n', "utf-8-sig")
    assert find(str(path)).scenario.title == "x"

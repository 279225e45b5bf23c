import gzip
import json
import re
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from gunicorn_autotune.cli import chart, main
from gunicorn_autotune.cli.flights import read_flight
from gunicorn_autotune.cli.plot import Panel, Series, svg
from gunicorn_autotune.cli.style import CommandError, Style
from tests.unit.cli.flying import BACKLOGS, a_flight

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def greenwich(monkeypatch):
    """Local times are the same everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def flight(tmp_path):
    """A record in which the count grows once."""
    return a_flight(tmp_path / "f.jsonl")


def rewritten(path, number, text):
    """The record with line `number` (from 1) replaced."""
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines))
    return path


def test_the_same_law_and_settings_decide_the_same(flight, capsys):
    """Exit code 0, and the page says so."""
    code = main(["replay", str(flight)])
    out, err = capsys.readouterr()

    assert (0, "", True) == (code, err, f"The same decision at all {len(BACKLOGS)} ticks." in out)


def test_the_page_shows_when_the_count_changed_and_why(flight, capsys):
    """Clock time to the tenth, the step, the reason, the figures behind it."""
    main(["replay", str(flight)])
    out = capsys.readouterr().out.splitlines()
    step = next(line for line in out if "grow" in line)

    assert ("00:16:41.0  grow 2 -> ", True, True) == (step[:22], " backlog " in step, "12 waiting" in step)
    assert "1970-01-01 00:16:40 to 00:16:42 local time, 2.8 s, 12 ticks" in out


def test_another_setting_shows_then_and_now_side_by_side(flight, capsys):
    """Exit code 1, the first difference in words, and the limit of such a replay in one sentence."""
    code = main(["replay", str(flight), "--set", "max_workers=3"])
    out = capsys.readouterr().out
    grown = next(line for line in out.splitlines() if line.startswith("00:16:41.0"))

    assert (1, ["grow", "grow", "3"]) == (code, [grown.split()[1], grown.split()[6], grown.split()[9]])
    assert "now with max_workers=3 (then 8)" in out
    assert "First at 00:16:41.0: then grow 2 -> " in " ".join(out.split())
    assert "Open loop: load and worker count stay as recorded, whatever is decided now." in " ".join(out.split())


def test_a_setting_that_changes_no_decision_is_exit_code_0(flight, capsys):
    """The limit is stated all the same."""
    code = main(["replay", str(flight), "--set", "calm_seconds=61"])
    out = capsys.readouterr().out

    assert (0, True, True) == (code, "now with calm_seconds=61.0 (then 60.0)" in out, "Open loop: " in out)


def test_every_tick_is_shown_on_demand(flight, capsys):
    """--all also tells the holds."""
    main(["replay", str(flight), "--all"])

    assert len(BACKLOGS) == sum(line.startswith("00:16:4") for line in capsys.readouterr().out.splitlines())


def test_a_record_without_a_change_says_so(tmp_path, capsys):
    """An idle server is no fault."""
    main(["replay", str(a_flight(tmp_path / "f.jsonl", backlogs=(0,)))])

    assert "No decision, then or now, asks for another count." in capsys.readouterr().out


def test_a_record_of_another_version_names_both(tmp_path, capsys):
    """A difference may then be a change of the law."""
    main(["replay", str(a_flight(tmp_path / "f.jsonl", autotune="0.0.7"))])
    out = capsys.readouterr().out

    assert (True, True) == ("autotune 0.0.7" in out, "decided again by autotune " in out)


def test_the_page_fits_the_terminal(flight, capsys):
    """100 columns where there is none; no escape sequence reaches a pipe."""
    main(["replay", str(flight), "--set", "max_workers=3"])
    out = capsys.readouterr().out

    assert (True, False) == (max(map(len, out.splitlines())) <= 100, "\033" in out)


def test_json_holds_every_tick_then_and_now(flight, capsys):
    """Differences are indices into the ticks."""
    code = main(["replay", str(flight), "--json", "--set", "max_workers=3"])
    document = json.loads(capsys.readouterr().out)
    first = document["ticks"][document["differences"][0]]

    assert (1, len(BACKLOGS), {"max_workers": {"then": 8, "now": 3}}) == (
        code, len(document["ticks"]), document["settings"],
    )  # fmt: skip
    assert ("grow", 3, 12, 1001.0) == (first["then"]["action"], first["now"]["target"], first["backlog"], first["time"])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("max_worker=3", "--set: autotune setting max_worker: no such setting; did you mean max_workers?"),
        ("max_workers=lots", "--set: autotune setting max_workers = 'lots': must be a whole number"),
        ("min_workers=9", "--set: autotune setting min_workers = 9: must be at most max_workers (8)"),
        ("max_workers", "--set max_workers: must be NAME=VALUE, as in --set max_workers=12"),
    ],
)
def test_a_wrong_setting_is_exit_code_2_and_one_line(setting, expected, flight, capsys):
    """Refused by name, as at a start."""
    code = main(["replay", str(flight), "--set", setting])

    assert (2, f"gunicorn-autotune replay: {expected}\n") == (code, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda path: path.unlink(), ": No such file or directory"),
        (lambda path: path.write_text(""), ": line 1: empty"),
        (lambda path: path.write_text("GET / HTTP/1.1\n"), ": line 1: not JSON"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), ": line 1: not JSON"),
        (lambda path: rewritten(path, 1, '{"flight":99}'), ": line 1: format 99 is newer than this autotune knows"),
        (lambda path: path.write_text(path.read_text().splitlines()[0]), ": no tick follows the header"),
        (lambda path: rewritten(path, 2, "{}"), ": line 2: not a tick of a flight record\n"),
        (lambda path: rewritten(path, 5, "{}"), ": line 5: not a tick of a flight record; --up-to-fault takes the"),
        (lambda path: path.write_text(path.read_text()[:-9]), ": line 13: truncated; --up-to-fault takes the"),
    ],
)
def test_an_unreadable_record_is_exit_code_2_with_file_line_and_fault(spoil, expected, flight, capsys):
    """One line on stderr, nothing on stdout."""
    spoil(flight)
    code = main(["replay", str(flight)])
    out, err = capsys.readouterr()

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert err.startswith(f"gunicorn-autotune replay: {flight}{expected}")


def test_the_ticks_before_a_fault_are_replayed_on_demand(flight, capsys):
    """And the page says where the record ends."""
    flight.write_text(flight.read_text()[:-9])
    code = main(["replay", str(flight), "--up-to-fault"])
    out = capsys.readouterr().out

    assert (0, True) == (code, "the record ends early: line 13: truncated" in out)
    assert f"The same decision at all {len(BACKLOGS) - 1} ticks." in out


def test_a_packed_record_is_read(flight):
    """By its name; one cut short ends like a cut text."""
    packed = flight.with_name("f.jsonl.gz")
    packed.write_bytes(gzip.compress(flight.read_bytes()))
    cut = flight.with_name("cut.jsonl.gz")
    cut.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(CommandError, match="truncated"):
        read_flight(cut)

    assert read_flight(flight) == read_flight(packed)


def test_a_file_that_is_not_packed_is_refused(flight):
    """Whatever its name says."""
    with pytest.raises(CommandError, match="Not a gzipped file"):
        read_flight(flight.rename(flight.with_name("f.jsonl.gz")))


def test_the_svg_stands_alone_and_names_what_it_shows(flight, tmp_path):
    """Well-formed, titles with units, a legend, times; nothing is fetched from elsewhere."""
    path = tmp_path / "plot.svg"
    main(["replay", str(flight), "--svg", str(path)])
    texts = [element.text for element in ElementTree.parse(path).iter(f"{SVG}text")]

    assert {"workers", "target then", "target now", "demand then", "arrivals (requests per second)",
            "backlog (connections that wait)", "00:16:41"} <= set(texts)  # fmt: skip
    assert 1 == path.read_text().count("http")


def test_an_svg_that_exists_is_overwritten_only_by_force(flight, tmp_path, capsys):
    """Exit code 2, and the file stays."""
    path = tmp_path / "plot.svg"
    path.write_text("precious")
    refused = main(["replay", str(flight), "--svg", str(path)])
    kept = path.read_text()
    forced = main(["replay", str(flight), "--svg", str(path), "--force"])

    assert (2, "precious", 0) == (refused, kept, forced)
    assert f"--svg {path}: the file exists; --force overwrites it" in capsys.readouterr().err


def test_an_svg_that_cannot_be_written_is_exit_code_2(flight, tmp_path, capsys):
    """The line names the option and the reason."""
    code = main(["replay", str(flight), "--svg", str(tmp_path / "gone" / "plot.svg")])

    assert (2, True) == (code, "plot.svg: No such file or directory" in capsys.readouterr().err)


def paths_of(text):
    """The `d` of every line that is drawn for figures."""
    drawn = ElementTree.fromstring(text).iter(f"{SVG}path")
    return [path.get("d") for path in drawn if path.get("fill") == "none"]


def test_a_missing_figure_breaks_the_line():
    """A gap is no zero."""
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, float("nan")), (4.0, 2.0)]
    (path,) = paths_of(svg([Panel("p", "", [Series("s", points)])]))

    assert 2 == path.count("M")


def test_a_plot_stays_small_however_long_the_flight():
    """At most four points a pixel, the extremes among them."""
    points = [(at * 0.25, 200.0 if at == 50_001 else at % 7) for at in range(100_000)]
    text = svg([Panel("p", "", [Series("s", points, steps=False)])])
    heights = [float(point.split()[1]) for point in paths_of(text)[0][1:].split("L")]

    assert (True, 1) == (len(text) < 60_000, heights.count(min(heights)))


def test_texts_of_a_plot_cannot_break_it():
    """Names are escaped."""
    text = svg([Panel("<p>", "&", [Series("a<b", [(0.0, 1)]), Series("c", [(0.0, 1)])])], title='"&<')

    assert {'"&<', "<p> (&)", "a<b"} <= {element.text for element in ElementTree.fromstring(text).iter(f"{SVG}text")}


@pytest.mark.parametrize("points", [[], [(5.0, None)], [(5.0, 0.0)], [(5.0, 1e9)], [(0.0, 0.001), (1e7, 0.0)]])
def test_odd_figures_still_make_a_plot(points):
    """Nothing, nothing known, nothing but zeros, one instant, months."""
    text = svg([Panel("p", "", [Series("s", points)])])

    assert ["p"] == [one.text for one in ElementTree.fromstring(text).iter(f"{SVG}text") if one.text == "p"]
    assert not re.search(r"\b(nan|inf)\b", text)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (Style(unicode=True), ["backlog            8 │    █", "                   0 │ ▂? █"]),
        (Style(), ["backlog            8 |    #", "                   0 | .? #"]),
    ],
)
def test_a_strip_shows_peaks_zeros_and_gaps(style, expected):
    """Anything above zero shows at the foot; what is not known is a question mark."""
    points = [(0.0, 0), (1.0, 1), (2.0, None), (3.0, 0), (4.0, 8)]

    assert expected == chart.strip("backlog", points, 5, style)


def test_a_stretch_without_a_tick_goes_on_with_the_last_figure():
    """An idle server is looked at once a second."""
    assert [3, 3, 3, 1] == chart.in_columns([(0.0, 2), (0.1, 3), (4.0, 1)], 4)


def test_reading_a_flight_leaves_the_one_before_it_alone(tmp_path):
    """PATH.1 is a record of its own, to be named."""
    flight = a_flight(tmp_path / "f.jsonl")
    Path(f"{flight}.1").write_text("anything")

    assert len(BACKLOGS) == len(read_flight(flight).ticks)

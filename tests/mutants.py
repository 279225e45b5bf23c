"""How good the tests are: small faults put into the package one by one, and whether any test notices.

    .venv/bin/python -m tests.mutants --mutants 200 --seed 7 --results /tmp/mutants.jsonl
    .venv/bin/python -m tests.mutants --rooms law cli --only survived --results /tmp/mutants.jsonl
    .venv/bin/python -m tests.mutants --at law/recycle.py:152

Each mutant is one edit of one file in a copy of the tree: a comparison or its boundary, arithmetic, a constant, a
condition turned round, a return value, a call or a store left out. The tests nearest to it run first, those of its room
next, then what drives the room from outside; the first failure ends it, and so does a hang. Results are appended as
they come, a line of JSON each; a later run goes on where this one stopped. A survivor that no test could notice is
judged by hand: write "equivalent" for its verdict, and why. Takes hours for a few hundred; one process at a time.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/gunicorn_autotune"
SHARES = {
    "law": 70, "model": 25, "runtime": 30, "scoreboard": 20, "sensors": 25, "exporter": 20, "nginx": 40, "cli": 19,
}  # fmt: skip
"""How a sample is divided among the rooms: by what a fault there would cost, not by lines."""
COPIED = ("src", "tests", "docs", "nginx", "benchmarks", "example_app", "pyproject.toml", "README.md", "CHANGELOG.md",
          "CONTRIBUTING.md", "Makefile", "LICENSE", ".ci")  # fmt: skip
REAL = {
    "flight": "integration/test_flight_record", "commands": "integration/test_commands",
    "command_socket": "integration/test_commands", "exporter_process": "faults/test_exporter_apart",
    "exporter_main": "faults/test_exporter_apart", "user_metrics": "integration/test_exporter_prometheus",
    "reload": "integration/test_reload_in_batches", "install": "integration/test_install",
    "written": "integration/test_install", "worker": "integration/test_worker_classes",
    "queue_watch": "integration/test_queue_time",
}  # fmt: skip
"""Which tests drive a file on a real server; integration/test_scaling the others. The exporter imports the
package of its arbiter, so both run the mutant."""
AFTER = {
    "law": ["tests/scenarios"],
    "model": ["tests/unit/law", "tests/unit/runtime", "tests/contract", "tests/unit/cli"],
    "sensors": ["tests/contract/test_sensor_contract.py", "tests/integration/test_sensors_real.py"],
    "exporter": ["tests/contract"],
    "nginx": [
        "tests/contract/test_nginx*.py",
        "tests/unit/cli/test_nginx*.py",
        "tests/integration/test_nginx_samples.py",
    ],
    "cli": ["tests/contract", "tests/integration/test_cli.py"],
}
HANG_SECONDS = 300.0
"""Three times what the slowest step takes on a busy machine; a loop that never ends has been noticed."""

_COMPARED = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
             "is not": ("is",), "is": ("is not",), "not in": ("in",), "in": ("not in",)}  # fmt: skip
_ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "%": "//", "<<": ">>", ">>": "<<", "&": "|", "|": "&"}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}


_passed: set[str] = set()
"""Files of tests that pass without a mutant."""


@dataclass(frozen=True)
class Mutant:
    """Bytes `start` to `end` of `path` (relative to the tree) become `text`."""

    path: str
    start: int
    end: int
    text: str
    line: int
    kind: str

    @property
    def room(self) -> str:
        """The folder of the package it is in."""
        return Path(self.path).relative_to(PACKAGE).parts[0]

    def applied(self, source: bytes) -> bytes:
        """The mutated file."""
        return source[: self.start] + self.text.encode() + source[self.end :]


class Finder(ast.NodeVisitor):
    """Every edit worth trying in one module. Left alone: what only people or type checkers read."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source, self.found = path, source, list[Mutant]()
        lines = source.splitlines(keepends=True)
        self.offsets = [sum(map(len, lines[:index])) for index in range(len(lines))]

    def span(self, node: ast.AST) -> tuple[int, int]:
        """First byte, and the one after the last."""
        first, last = self.offsets[node.lineno - 1], self.offsets[node.end_lineno - 1]  # type: ignore[attr-defined]
        return first + node.col_offset, last + node.end_col_offset  # type: ignore[attr-defined]

    def add(self, kind: str, start: int, end: int, text: str) -> None:
        """One mutant more."""
        line = self.source.count(b"\n", 0, start) + 1
        self.found.append(Mutant(self.path, start, end, text, line, kind))

    def whole(self, kind: str, node: ast.AST, text: str) -> None:
        """One that replaces all of a node; `%s` stands for what was there."""
        start, end = self.span(node)
        self.add(kind, start, end, text.replace("%s", self.source[start:end].decode()))

    def between(self, kind: str, left: ast.AST, right: ast.AST, pattern: str, texts: tuple[str, ...]) -> None:
        """One for each of `texts` in place of the operator that stands between two nodes."""
        start, end = self.span(left)[1], self.span(right)[0]
        match = re.search(pattern.encode(), self.source[start:end])
        for text in texts if match else ():
            self.add(kind, start + match.start(), start + match.end(), text)  # type: ignore[union-attr]

    def visit(self, node: ast.AST) -> None:
        """Nodes that are for readers are not entered."""
        if isinstance(node, (ast.JoinedStr, ast.Assert, ast.AnnAssign)) and not getattr(node, "value", None):
            return
        if isinstance(node, ast.Call) and re.search(r"(^|\.|_)log(ger)?\.", ast.unparse(node.func)):
            return
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method:
            method(node)
        for name, below in ast.iter_fields(node):
            if name not in ("annotation", "returns", "decorator_list"):
                for each in below if isinstance(below, list) else [below]:
                    if isinstance(each, ast.AST):
                        self.visit(each)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Boundaries and opposites."""
        left: ast.expr = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            # `ast.unparse` knows the operators' text: "a < b".
            text = ast.unparse(ast.Compare(ast.Name("a"), [operator], [ast.Name("b")]))[2:-2]
            self.between("comparison", left, right, re.escape(text).replace(r"\ ", r"\s+"), _COMPARED[text])
            left = right

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Arithmetic, not text put together."""
        text = ast.unparse(ast.BinOp(ast.Name("a"), node.op, ast.Name("b")))[2:-2]
        sides = (node.left, node.right)
        if text in _ARITHMETIC and not any(
            isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, (str, bytes)))
            for side in sides
        ):
            self.between("arithmetic", *sides, re.escape(text), (_ARITHMETIC[text],))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """`+=` the other way round, and not at all."""
        text = ast.unparse(ast.BinOp(ast.Name("a"), node.op, ast.Name("b")))[2:-2]
        if text in _ARITHMETIC:
            self.between("arithmetic", node.target, node.value, re.escape(text + "="), (_ARITHMETIC[text] + "=",))
        self.whole("left out", node, "pass")

    def visit_Constant(self, node: ast.Constant) -> None:
        """Numbers a little off; True and False."""
        if isinstance(node.value, bool):
            self.whole("constant", node, str(not node.value))
        elif isinstance(node.value, int):
            self.whole("constant", node, str(node.value + 1))
            self.whole("constant", node, f"({node.value} - 1)")
        elif isinstance(node.value, float):
            self.whole("constant", node, repr(node.value * 1.5 or 1.0))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """A `not` or a sign dropped."""
        if isinstance(node.op, (ast.Not, ast.USub)):
            self.add("not", self.span(node)[0], self.span(node.operand)[0], "")

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """`and` for `or`, at each place."""
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between("and/or", left, right, rf"\b{old}\b", (new,))

    def visit_If(self, node: ast.If | ast.IfExp | ast.While) -> None:
        """The other branch."""
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self.whole("branch", node.test, "not (%s)")

    visit_IfExp = visit_While = visit_If  # noqa: N815

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """What a comprehension leaves out is let in."""
        for test in node.ifs:
            self.whole("branch", test, "not (%s)")

    def visit_Return(self, node: ast.Return) -> None:
        """None instead."""
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self.whole("return", node.value, "None")

    def visit_Call(self, node: ast.Call) -> None:
        """`min` for `max`, `any` for `all`."""
        if isinstance(node.func, ast.Name) and node.func.id in _CALLED:
            self.whole("call", node.func, _CALLED[node.func.id])

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call for its effect, left out."""
        if not isinstance(node.value, ast.Constant):
            self.whole("left out", node, "pass")

    def visit_Assign(self, node: ast.Assign) -> None:
        """A store that others read, left out; one of a local name would only end in NameError."""
        if all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
            self.whole("left out", node, "pass")

    def visit_Raise(self, node: ast.Raise | ast.Delete | ast.Break | ast.Continue) -> None:
        """Left out."""
        self.whole("left out", node, "pass")

    visit_Delete = visit_Break = visit_Continue = visit_Raise  # noqa: N815


def mutants_of(path: str, source: bytes) -> list[Mutant]:
    """All, in the order of the file."""
    finder = Finder(path, source)
    finder.visit(ast.parse(source))
    return sorted(set(finder.found), key=lambda each: (each.start, each.end, each.text))


def _compiles(mutant: Mutant, root: Path) -> bool:
    try:
        compile(mutant.applied((root / mutant.path).read_bytes()), mutant.path, "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def sample(root: Path, rooms: list[str], count: int, seed: str) -> list[Mutant]:
    """`count` of all rooms' mutants, divided as SHARES says; the same ones for the same seed and source."""
    chosen: list[Mutant] = []
    for room in rooms:
        found = [
            mutant
            for path in sorted((root / PACKAGE / room).rglob("*.py"))
            for mutant in mutants_of(str(path.relative_to(root)), path.read_bytes())
        ]
        wanted = round(count * SHARES[room] / sum(SHARES.values()))
        random.Random(f"{seed} {room}").shuffle(found)
        # One edit of a place, so that a comparison with two is not twice as likely as a call with one.
        places = {(mutant.path, mutant.line, mutant.kind): mutant for mutant in found}
        chosen += islice((mutant for mutant in places.values() if _compiles(mutant, root)), wanted)
    return chosen


def steps(root: Path, mutant: Mutant) -> Iterator[tuple[str, list[str]]]:
    """(name, arguments for pytest), the nearest tests first."""
    stem, room = Path(mutant.path).stem, mutant.room
    folder = root / "tests/unit" / room
    files = sorted(folder.glob("test_*.py"))
    near = [str(file) for file in files if re.search(rf"\b{stem}\b", file.name + file.read_text())]
    yield from (("near", near),) if near else ()
    yield from (("room", [str(folder)]),) if files else ()
    for each in AFTER.get(room, []):
        yield each, [str(path) for path in sorted(root.glob(each))]
    if room in ("runtime", "scoreboard"):
        name = f"tests/{REAL.get(stem, 'integration/test_scaling')}.py"
        yield name, [str(root / name), "-m", "not once"]


def noticed_by(root: Path, mutant: Mutant, quick: bool) -> str | None:
    """The step that failed, with the test's name; None when nothing did. `root` is a copy that holds the mutant."""
    for name, arguments in steps(root, mutant):
        if quick and name not in ("near", "room"):
            continue
        real = name.startswith(("tests/integration", "tests/faults"))
        why = _failure(root, arguments)
        # A real server on a busy machine may be late once: what it did not do twice it does not do.
        if why and (not real or _failure(root, arguments)):
            return f"{name}: {why}"
    return None


def _failure(root: Path, arguments: list[str]) -> str | None:
    # The package and the tests of the copy, whatever is installed in the environment.
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = child.communicate(timeout=HANG_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return "hang"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    return None if child.returncode == 0 else failed.group(1) if failed else output.strip()[-300:]


def shown(mutant: Mutant, source: bytes) -> str:
    """The line before and after."""
    first, last = source.rfind(b"\n", 0, mutant.start) + 1, source.find(b"\n", mutant.end)
    before = source[first:last]
    after = source[first : mutant.start] + mutant.text.encode() + source[mutant.end : last]
    return f"- {before.decode().strip()}\n+ {after.decode().strip()}"


def examine(mutant: Mutant, copy: Path, quick: bool = False) -> dict[str, object]:
    """Put the mutant in, run, take it out again."""
    file = copy / mutant.path
    source = file.read_bytes()
    file.write_bytes(mutant.applied(source))
    try:
        where = noticed_by(copy, mutant, quick)
    finally:
        file.write_bytes(source)
    if where:
        _sound(copy, where)
    verdict = "killed" if where else "survived"
    return asdict(mutant) | {"room": mutant.room, "verdict": verdict, "where": where, "diff": shown(mutant, source)}


def _sound(copy: Path, where: str) -> None:
    """The file of the test that failed must pass without the mutant; asked once for each file."""
    file = where.partition(": ")[2].partition("::")[0]
    if file not in _passed and (copy / file).is_file():
        if _failure(copy, [file]):
            raise SystemExit(f"{file} fails without any fault: mend it first ({where})")
        _passed.add(file)


def copy_of(root: Path, folder: Path) -> Path:
    """A tree to break."""
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "out"))
        elif (root / name).exists():
            shutil.copy(root / name, folder / name)
    return folder


def table(results: list[dict[str, object]]) -> list[dict[str, object]]:
    """By room: mutants, killed, equivalent, and the share of the others that was noticed."""
    rows = []
    for room in [*SHARES, "all"]:
        verdicts = Counter(str(result["verdict"]) for result in results if room in ("all", result["room"]))
        meant = verdicts.total() - verdicts["equivalent"]
        if verdicts:
            share = round(100 * verdicts["killed"] / meant) if meant else None
            rows.append({"room": room, "mutants": verdicts.total(), "killed": verdicts["killed"],
                         "equivalent": verdicts["equivalent"], "noticed_percent": share})  # fmt: skip
    return rows


def read_results(path: Path) -> dict[tuple[object, ...], dict[str, object]]:
    """Results so far, the last word on each mutant."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {_key(result): result for result in map(json.loads, lines)}


def _key(result: dict[str, object]) -> tuple[object, ...]:
    return tuple(result[name] for name in ("path", "start", "end", "text"))


def _chosen(options: argparse.Namespace, done: dict[tuple[object, ...], dict[str, object]]) -> list[Mutant]:
    if options.at:
        path, _, line = options.at.rpartition(":")
        source = (ROOT / PACKAGE / path).read_bytes()
        return [mutant for mutant in mutants_of(f"{PACKAGE}/{path}", source) if mutant.line == int(line)]
    if options.only:
        fields = Mutant.__dataclass_fields__
        again = [Mutant(**{name: result[name] for name in fields})  # type: ignore[arg-type]
                 for result in done.values() if result["verdict"] == options.only]  # fmt: skip
        return [mutant for mutant in again if mutant.room in options.rooms]
    chosen = sample(ROOT, options.rooms, options.mutants, options.seed)
    return [mutant for mutant in chosen if _key(asdict(mutant)) not in done]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=249, help="of all rooms")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--rooms", nargs="+", choices=SHARES, default=list(SHARES))
    parser.add_argument("--only", choices=("survived", "killed"), help="those of the results with this verdict, again")
    parser.add_argument("--at", metavar="ROOM/FILE.py:LINE", help="every mutant of one line")
    parser.add_argument(
        "--results", type=Path, default=Path("mutants.jsonl"), help="appended to (default: %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="only the unit tests of its own room: what is noticed at least"
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    options = parser.parse_args()
    done = {} if options.at else read_results(options.results)
    chosen = _chosen(options, done)
    copies: SimpleQueue[Path] = SimpleQueue()

    def run(mutant: Mutant) -> dict[str, object]:
        copy = copies.get()
        try:
            return examine(mutant, copy, options.quick)
        finally:
            copies.put(copy)

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        for job in range(options.jobs if chosen else 0):
            copies.put(copy_of(ROOT, Path(folder, str(job))))
        for result in pool.map(run, chosen):
            done[_key(result)] = result
            print(f"{result['path']}:{result['line']} {result['verdict']} {result['where'] or ''}\n{result['diff']}",
                  file=sys.stderr, flush=True)  # fmt: skip
            if not options.at:
                with options.results.open("a") as file:
                    file.write(json.dumps(result) + "\n")
    rows = table(list(done.values()))
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(" ".join(f"{name}={value}" for name, value in row.items()))


if __name__ == "__main__":
    main()

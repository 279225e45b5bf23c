"""python -m tests.vm [--shell] [--results FILE] [PYTEST ARGUMENT...]: the tests of tests/vm/inside, in the machine.

Exit codes: 0 all passed, 1 a test failed, 2 could not run, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import json
import shlex
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.vm import results
from tests.vm.image import CannotRunError, install_tools, ready_image
from tests.vm.machine import Machine, running

ROOT = Path(__file__).parents[2]
SOURCE, PYTHON, JUNIT = "/src", "/opt/venv/bin/python", "/tmp/junit.xml"  # in the machine
RAN = (0, 1)
"""Pytest's exit codes when it ran the tests: all passed, some failed."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(prog="python -m tests.vm", description=__doc__.partition("\n")[0])
    line.add_argument("--shell", action="store_true", help="run no tests; print the ssh command, wait for Ctrl-C")
    line.add_argument("--results", type=Path, metavar="FILE", help="write what the tests told as JSON, too")
    line.epilog = "Anything else goes to pytest, such as -k quota."
    return line


def main(arguments: Sequence[str] | None = None) -> int:
    """Build or find the image, boot, test, tell."""
    told, for_pytest = parser().parse_known_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the machine is powered off on the way out
    try:
        install_tools(tell)
        with running(ready_image(tell), tell) as machine:
            copy_project(machine)
            return wait_for_interrupt(machine) if told.shell else run_tests(machine, for_pytest, told.results)
    except (CannotRunError, OSError, subprocess.SubprocessError) as error:
        tell(f"could not run: {error}")
        return 2
    except KeyboardInterrupt:
        tell("interrupted; the machine is off")
        return 130


def copy_project(machine: Machine) -> None:
    """The working tree, as it is."""
    tell("copying the project")
    machine.put(working_tree(), SOURCE)
    # Services run as www-data, which may not write the byte code.
    machine.read(f"{PYTHON} -m compileall -q {SOURCE}/src {SOURCE}/tests")


def working_tree() -> bytes:
    """A tar of the files that git knows or would add."""
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(words, capture_output=True, check=False)
    if told.returncode:
        raise CannotRunError(f"git ls-files: {told.stderr.decode().strip()}")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in filter(None, told.stdout.decode().split("\0")):
            if (ROOT / name).exists():
                tar.add(ROOT / name, name)
    return archive.getvalue()


def run_tests(machine: Machine, for_pytest: Sequence[str], file: Path | None) -> int:
    """Pytest in the machine, its output as it comes, then the table."""
    words = [PYTHON, "-m", "pytest", "-v", "--tb=short", "--timeout=600", "--confcutdir=tests/vm/inside"]
    # Figures are kept as properties of a test, which pytest's newer form of JUnit's file does not know.
    words += [f"--junitxml={JUNIT}", "--override-ini=junit_family=xunit1", *for_pytest]
    places = [] if any(word.startswith("tests/") for word in for_pytest) else ["tests/vm/inside"]
    code = machine.show(f"cd {SOURCE} && PYTHONUNBUFFERED=1 {shlex.join([*words, *places])}")
    if code not in RAN:
        raise CannotRunError(f"pytest in the machine ended with {code}")
    about = machine.read('. /etc/os-release; echo "$PRETTY_NAME, $(systemctl --version | head -1), Linux $(uname -r)"')
    junit = machine.read(f"cat {JUNIT}").decode()
    document = results.document(junit, f"{about.decode().strip()} ({machine.accelerator})")
    print(results.text(document))
    if file:
        file.write_text(json.dumps(document))
    return code


def wait_for_interrupt(machine: Machine) -> int:
    """Leave the machine to somebody else."""
    print(shlex.join(machine.ssh), flush=True)
    while machine.process.poll() is None:
        time.sleep(1)
    return 2


def tell(line: str) -> None:
    """Progress, away from the results."""
    print(f"vm: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

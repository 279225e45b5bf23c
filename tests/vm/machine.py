"""The running machine: qemu with KVM where that works, else emulated; reached by ssh, gone when its block ends."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.vm.image import CannotRunError, Image, Tell

MEMORY_MIB, CORES = 2048, 2
BOOT_SECONDS = 300
"""Emulated, on a busy computer; 40 s are usual, 10 s with KVM."""
KVM_TRY_SECONDS = 10
KERNEL_WORDS = "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 systemd.show_status=0 mitigations=off"


@dataclass(frozen=True)
class Machine:
    """A machine that answers ssh."""

    process: subprocess.Popen[bytes]
    accelerator: str
    """`kvm` or `tcg`."""
    key: Path
    port: int
    folder: Path

    @property
    def ssh(self) -> list[str]:
        """The command to which a shell command is added."""
        words = [
            "ssh", "-q", "-i", str(self.key), "-p", str(self.port), "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20", "-o", "BatchMode=yes",
            "-o", "ServerAliveInterval=20", "-o", "ControlMaster=auto", "-o", f"ControlPath={self.folder / 'ssh'}",
            "-o", "ControlPersist=60",
        ]  # fmt: skip
        return [*words, "root@127.0.0.1"]

    def answers(self) -> bool:
        """Whether a command can be run in it."""
        told = subprocess.run([*self.ssh, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return told.returncode == 0

    def read(self, command: str) -> bytes:
        """What a command in it prints."""
        told = subprocess.run([*self.ssh, command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if told.returncode:
            raise CannotRunError(f"in the machine, {command!r}: {(told.stderr or told.stdout).decode()[-2000:]}")
        return told.stdout

    def put(self, tar: bytes, folder: str) -> None:
        """Unpack an archive in it."""
        subprocess.run([*self.ssh, f"mkdir -p {folder} && tar -x -C {folder}"], input=tar, check=True)

    def show(self, command: str) -> int:
        """Run a command whose output is ours; its exit code."""
        return subprocess.run([*self.ssh, command], stdin=subprocess.DEVNULL, check=False).returncode


@contextmanager
def running(image: Image, tell: Tell) -> Iterator[Machine]:
    """A machine of its own on a disk that forgets; off again when the block ends, whatever ends it."""
    accelerator = "kvm" if kvm_works(image) else "tcg"
    with tempfile.TemporaryDirectory(prefix="autotune-vm-") as name:
        folder, port = Path(name), free_port()
        process = subprocess.Popen(qemu(image, accelerator, port, folder), stdin=subprocess.DEVNULL)
        machine = Machine(process, accelerator, image.key, port, folder)
        try:
            wait_until_up(machine, tell)
            yield machine
        finally:
            power_off(machine)


def qemu(image: Image, accelerator: str, port: int, folder: Path) -> list[str]:
    """The command line."""
    kvm, tcg = ["-accel", "kvm", "-cpu", "host"], ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"]
    return [
        "nice", "qemu-system-x86_64", *(kvm if accelerator == "kvm" else tcg), "-M", "q35", "-smp", str(CORES),
        "-m", str(MEMORY_MIB), "-display", "none", "-monitor", "none", "-no-reboot",
        "-serial", f"file:{folder / 'console'}", "-append", KERNEL_WORDS,
        "-kernel", str(image.folder / "vmlinuz"), "-initrd", str(image.folder / "initrd.img"),
        "-drive", f"file={image.disk},if=virtio,format=raw,cache=unsafe,snapshot=on", "-device", "virtio-rng-pci",
        "-netdev", f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=n",
    ]  # fmt: skip


def kvm_works(image: Image) -> bool:
    """Whether a kernel says its first word: /dev/kvm may be there and be of no use, as in nested machines."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    words = ["-accel", "kvm", "-cpu", "host", "-m", "128", "-display", "none", "-monitor", "none", "-no-reboot"]
    kernel = ["-kernel", str(image.folder / "vmlinuz"), "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1"]
    process = subprocess.Popen(
        ["qemu-system-x86_64", *words, "-serial", "stdio", *kernel],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        told, _ = process.communicate(timeout=KVM_TRY_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        told, _ = process.communicate()
    return b"Linux version" in told


def wait_until_up(machine: Machine, tell: Tell) -> None:
    """Until ssh lets us in."""
    began = told = time.monotonic()
    while not machine.answers():
        waited = time.monotonic() - began
        if machine.process.poll() is not None or waited > BOOT_SECONDS:
            console = (machine.folder / "console").read_text("utf-8", "replace")[-2000:]
            raise CannotRunError(f"the machine does not answer after {waited:.0f} s; its console:\n{console}")
        if time.monotonic() - told > 10:
            told = time.monotonic()
            tell(f"booting ({machine.accelerator}), {waited:.0f} s")
        time.sleep(0.5)
    tell(f"up after {time.monotonic() - began:.0f} s ({machine.accelerator})")


def power_off(machine: Machine) -> None:
    """The disk forgets anyway: no need to be gentle."""
    machine.process.terminate()
    with suppress(subprocess.TimeoutExpired):
        machine.process.wait(10)
    machine.process.kill()
    machine.process.wait()


def free_port() -> int:
    """Of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

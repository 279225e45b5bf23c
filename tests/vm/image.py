"""The machine's disk: built once from Debian's packages and Python's wheels, kept until one of them changes.

The project is not in it; it is copied in at each run. As root: mmdebstrap unpacks a system.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("AUTOTUNE_VM_CACHE", Path.home() / ".cache" / "gunicorn-autotune-vm"))
SUITE, PYTHON = "bookworm", "3.11"
DISK_SIZE = "4G"  # sparse; 1.3 GiB are used
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "linux-image-cloud-amd64", "initramfs-tools", "openssh-server",
    "python3", "python3-venv", "iproute2", "procps", "kmod", "util-linux", "podman", "crun", "conmon", "netavark",
)  # fmt: skip
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86", "mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "ssh": "openssh-client",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}  # fmt: skip
"""What the host needs, by a file or a command, and Debian's package of it."""
FILES = {
    "etc/fstab": "/dev/vda / ext4 rw,noatime 0 1\n",
    "etc/hostname": "autotune-vm\n",
    "etc/hosts": "127.0.0.1 localhost autotune-vm\n",
    "etc/systemd/network/20-any.network": "[Match]\nType=ether\n[Network]\nDHCP=yes\n",
}
INSIDE = """set -e
chmod 700 ~root/.ssh; chmod 600 ~root/.ssh/authorized_keys
systemctl enable systemd-networkd ssh; systemctl mask apt-daily.timer apt-daily-upgrade.timer
python3 -m venv /opt/venv
/opt/venv/bin/pip install -q --no-index --find-links /wheels -r /wheels/wheels.txt
rm -rf /wheels
# The project itself is copied to /src at each run; installing it there again would take a minute.
echo /src/src > /opt/venv/lib/python3.11/site-packages/project.pth
cat > /opt/venv/bin/gunicorn-autotune <<EOF
#!/opt/venv/bin/python
import sys
from gunicorn_autotune.cli import main
sys.exit(main())
EOF
chmod 755 /opt/venv/bin/gunicorn-autotune
"""
Tell = Callable[[str], None]


class CannotRunError(Exception):
    """Why the machine cannot be built or started here."""


@dataclass(frozen=True)
class Image:
    """A folder of the cache."""

    folder: Path

    @property
    def disk(self) -> Path:
        """An ext4 file system without partitions."""
        return self.folder / "disk.img"

    @property
    def key(self) -> Path:
        """The private key that root of the machine lets in."""
        return self.folder / "key"


def ready_image(tell: Tell) -> Image:
    """The image of this recipe, from the cache or built now."""
    folder = CACHE / digest()
    if (folder / "disk.img").exists():
        tell(f"image: {folder}")
        return Image(folder)
    beside = folder.with_suffix(".building")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    tell("image: not in the cache; building it, about 3 min")
    build(Image(beside), tell)
    beside.rename(folder)
    for old in CACHE.iterdir():
        # AUTOTUNE_VM_CACHE may name a folder that holds other things.
        if old != folder and re.fullmatch("[0-9a-f]{16}", old.name) and (old / "disk.img").is_file():
            shutil.rmtree(old)
    return Image(folder)


def digest() -> str:
    """Of all that decides what is in the image, but for what Debian mends within its release."""
    told = repr((SUITE, DISK_SIZE, PACKAGES, FILES, INSIDE, (HERE / "wheels.txt").read_text()))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def install_tools(tell: Tell) -> None:
    """Qemu and what builds the image, by apt; says what it installs."""
    missing = [package for tool, package in TOOLS.items() if not (shutil.which(tool) or Path(tool).exists())]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotRunError(f"missing: {' '.join(missing)}; install them, or run this as root on Debian or Ubuntu")
    tell(f"installing {' '.join(missing)}")
    quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
    run(["apt-get", "update", "-qq"], **quiet)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], **quiet)


def build(image: Image, tell: Tell) -> None:
    """Everything in the image's folder."""
    if os.geteuid() != 0:
        raise CannotRunError("building the image needs root")
    tell("image: wheels")
    wheels = image.folder / "wheels"
    words = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(wheels)]
    run([*words, "--python-version", PYTHON, "-r", str(HERE / "wheels.txt")])
    shutil.copy(HERE / "wheels.txt", wheels)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(image.key)])
    tell(f"image: Debian {SUITE}")
    root = image.folder / "root"
    run(bootstrap(image, root))
    for name in ("vmlinuz", "initrd.img"):
        shutil.copy(next((root / "boot").glob(f"{name}-*")), image.folder / name)
    tell("image: disk")
    run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(root), str(image.disk), DISK_SIZE])
    shutil.rmtree(root)
    shutil.rmtree(wheels)


def bootstrap(image: Image, root: Path) -> list[str]:
    """The command that makes the file tree `root`."""
    files = image.folder / "files"
    texts = FILES | {"root/.ssh/authorized_keys": Path(f"{image.key}.pub").read_text()}
    for name, text in texts.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(text)
    (image.folder / "inside.sh").write_text(INSIDE)
    # In namespaces of its own: the host's /sys and /dev are mounted in the tree, and must be gone again, with all who
    # hold them, before anybody removes the tree, also after a build that was cut short.
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [
        "nice", *alone, "mmdebstrap", "--variant=minbase", "--mode=root", "--quiet",
        '--aptopt=APT::Install-Recommends "false"', "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*", f"--include={','.join(PACKAGES)}",
        f'--customize-hook=cp -r --no-preserve=mode,ownership {files}/. "$1"',
        f"--customize-hook=copy-in {image.folder / 'wheels'} /",
        f'--customize-hook=chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh < {image.folder / "inside.sh"}',
        SUITE, str(root),
    ]  # fmt: skip


def run(words: list[str], **more: dict[str, str]) -> None:
    """A step of the build; what it said is told only when it fails."""
    told = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)
    if told.returncode:
        raise CannotRunError(f"{words[0]} ended with {told.returncode}:\n{told.stdout[-2000:]}")

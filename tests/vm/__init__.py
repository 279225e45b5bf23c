"""A Debian 12 machine with systemd and pure cgroup v2, in qemu, and the tests that run inside: `make test-vm`."""

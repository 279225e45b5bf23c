"""Tests that need systemd and cgroup v2; they run as root in the machine of tests/vm, never on the developer's host."""

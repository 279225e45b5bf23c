"""The plain app in workers of 40 MB each: every worker loads its own ballast."""

from plain import app as app

BALLAST = bytearray(b"x") * (40 << 20)

"""Bytes of another encoding, far below the lines where Python looks for a cookie."""

FIRST = 1
NAME = "ångström"

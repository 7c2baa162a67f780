"""Splitting what is written in one line: lists of hosts, parts of a pattern."""

from __future__ import annotations

import re


def split_words(text: str, separator: str = ",") -> list[str]:
    """Split at the separator, but not within brackets: `web[1,3],db1` are two words.

    White space around the words, and words without anything in them, are left out.
    """
    part = rf"(?:\([^)]*\)|\[[^\]]*\]|\{{[^}}]*\}}|[^{separator}])+"
    return [found.strip() for found in re.findall(part, text) if found.strip()]

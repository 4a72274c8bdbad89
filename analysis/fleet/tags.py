"""Tags: names and values of the user's choosing, as release=1.4. (Without numpy: the launcher reads them.)"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping


def parse_tags(text: str) -> dict[str, str]:
    """Return the tags of a text like GILSCOPE_TAGS has: "release=1.4,zone=b".

    Raises
    ------
    ValueError
        A part is not NAME=VALUE, or a name has two values.
    """
    tags: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not equals or not name:
            raise ValueError(f"{part!r} is no tag: NAME=VALUE, as in release=1.4")
        if tags.setdefault(name, value) != value:
            raise ValueError(f"{name}={tags[name]} and {name}={value}: a tag has one value")
    return tags


def tags_of_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the tags that GILSCOPE_TAGS has.

    Raises
    ------
    ValueError
        It has something else.
    """
    try:
        return parse_tags(environ.get("GILSCOPE_TAGS", ""))
    except ValueError as error:
        raise ValueError(f"GILSCOPE_TAGS: {error}") from None


def tags_of_options(texts: Iterable[str]) -> dict[str, str]:
    """Return the tags of --tag, over those that GILSCOPE_TAGS has; raises ValueError as they do."""
    try:
        return tags_of_environment() | parse_tags(",".join(texts))
    except ValueError as error:
        raise ValueError(
            str(error) if str(error).startswith("GILSCOPE_TAGS") else f"--tag: {error}"
        ) from None


def joined(tags: Mapping[str, str]) -> str:
    """Return tags as GILSCOPE_TAGS has them."""
    return ",".join(f"{name}={value}" for name, value in tags.items())

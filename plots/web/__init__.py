"""The trace as one HTML file: zoomed, searched and asked in a browser, with no request to anywhere."""

from typing import Final

SUFFIXES: Final = (".html", ".htm")

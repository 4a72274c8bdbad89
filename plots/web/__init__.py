"""The trace as one HTML file: zoomed, searched and asked in a browser, with no request to anywhere."""

from .page import save_page

__all__ = ["save_page"]

"""`%%gil` in a real kernel: the example notebook runs, and shows a timeline, a page and what they say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "notebook.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The cells of the example notebook, after a kernel of this interpreter has run them."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel.kernelspec").install(prefix=sys.prefix)
    notebook = nbformat.read(EXAMPLE, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}}
    ).execute()
    found: list[Any] = notebook.cells
    return found


@pytest.mark.filterwarnings("ignore")  # those of Jupyter's own machinery
def test_the_example_notebook(cells: list[Any]) -> None:
    shown = [output for output in cells[2].outputs if output.output_type != "stream"]
    picture, page, said = shown
    assert not [output.text for output in cells[2].outputs if output.get("name") == "stderr"]
    assert "image/png" in picture.data
    frame = page.data["text/html"]
    assert frame.startswith('<iframe sandbox="allow-scripts" srcdoc="&lt;!DOCTYPE html&gt;')
    assert said.output_type == "execute_result" and "worker-1" in said.data["text/html"]
    assert "more threads" in said.data["text/html"]  # the kernel's own, which did nothing
    assert "countdown()" in said.data["text/html"] and "<table>" in cells[3].outputs[0].data["text/html"]
    threads = cells[4].outputs[0].data["text/plain"]
    assert "'worker-1'" in threads and "'worker-2'" in threads

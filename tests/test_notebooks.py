"""Every notebook runs from its first cell to its last, at a small size."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
# The values that replace those of the cell with the tag "parameters".
SMALL = {
    "forecasting_with_bands": {"shops": 5, "days": 200, "epochs": 1},
    "gradient_flow": {"steps": 20, "updates": 5, "units": 8},
    "layers_in_your_model": {"units": 8, "steps": 12, "rounds": 1},
    "sentiment_from_csv_to_server": {"reviews": 200, "epochs": 1, "units": 8},
}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.ipynb")))
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source += "".join(f"\n{variable} = {value}" for variable, value in SMALL[name].items())
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "error:" not in printed and "Traceback" not in printed, printed

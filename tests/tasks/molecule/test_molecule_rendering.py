import io

import numpy as np
import pytest
from PIL import Image
from rdkit import Chem

from rl_tuner.tasks.molecule import chemistry, rendering

SMILES = ["CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O"]


@pytest.fixture(scope="module")
def properties():
    return [*map(chemistry.properties, SMILES), None]


def test_a_grid_has_a_panel_a_molecule():
    image = rendering.grid_image(SMILES, columns=2)
    assert image.dtype == np.uint8
    height, width, channels = image.shape
    assert channels == 3
    panels = image.reshape(2, height // 2, 2, width // 2, 3).swapaxes(1, 2)
    drawn = [bool((panel < 250).any()) for row in panels for panel in row]
    assert drawn == [True, True, True, False]


def test_a_grid_is_a_png():
    with Image.open(io.BytesIO(rendering.grid_png(SMILES, legends=["a", "b", "c"]))) as image:
        assert image.format == "PNG"


def test_nothing_to_draw_is_an_empty_picture():
    image = rendering.grid_image([])
    assert image.ndim == 3
    assert (image == 255).all()


def test_what_is_no_molecule_cannot_be_drawn():
    with pytest.raises(ValueError, match="not a valid molecule"):
        rendering.grid_png(["C("])


def test_the_legend():
    assert rendering.legend("CCO") == "QED 0.41  logP -0.0  SA 2.0"


def test_figures(properties):
    figure = rendering.grid_figure({"prior": SMILES, "tuned": []}, "Molecules")
    assert [axis.get_title() for axis in figure.axes] == ["prior", "tuned"]
    figure.canvas.draw()
    with pytest.raises(ValueError, match="at least one"):
        rendering.grid_figure({})


def test_histograms(properties):
    training = {"logP": {"edges": [0.0, 1.0, 2.0], "counts": [3, 1]}}
    figure = rendering.histogram_figure({"prior": properties, "tuned": [None]}, training)
    figure.canvas.draw()
    logp, qed = figure.axes[:2]
    assert logp.get_legend_handles_labels()[1] == ["data", "prior"]
    assert qed.get_legend_handles_labels()[1] == ["prior"]
    values, edges, _ = logp.patches[0].get_data()
    assert np.sum(values * np.diff(edges)) == pytest.approx(1.0)
    values, edges, _ = logp.patches[1].get_data()
    assert np.sum(values * np.diff(edges)) == pytest.approx(1.0)
    rendering.histogram_figure({"prior": []}).canvas.draw()


def test_files(tmp_path, properties):
    smi, sdf = str(tmp_path / "a.smi"), str(tmp_path / "a.sdf")
    rendering.write_smi(smi, ["OCC", "c1ccccc1", "", "C("], [*properties[:2], None, None])
    with open(smi) as file:
        assert file.read() == "OCC\tvalid_0\nc1ccccc1\tvalid_1\nC(\tinvalid_3\n"
    rendering.write_sdf(sdf, properties)
    read = list(Chem.SDMolSupplier(sdf))
    assert [Chem.MolToSmiles(mol) for mol in read] == [p.canonical for p in properties[:3]]
    assert float(read[2].GetProp("qed")) == pytest.approx(properties[2].qed, rel=1e-5)
    assert read[1].GetConformer().GetPositions()[:, :2].std() > 0.1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.sdf", "a.smi"]

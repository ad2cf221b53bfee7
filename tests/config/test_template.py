import pytest
from ase.build import bulk, molecule

from thalweg.config import (
    RunConfig,
    SystemConfig,
    automatic_timestep,
    load_config,
    render_config,
    start_structures,
    validate,
)
from thalweg.config.changes import unit_of
from thalweg.config.messages import known_keys
from thalweg.errors import InputError
from thalweg.oracles.registry import BUILT_IN
from thalweg.structure import Structure


@pytest.fixture
def folder(tmp_path):
    molecule("H2O").write(tmp_path / "water.xyz")
    bulk("Si").write(tmp_path / "silicon.cif")
    return tmp_path


@pytest.mark.parametrize(
    ("system", "oracle", "expected"),
    [
        ("water.xyz", "tblite", {"name": "tblite", "method": "GFN2-xTB"}),
        ("silicon.cif", "tblite", {"name": "tblite", "method": "GFN1-xTB"}),
        ("silicon.cif", "ase", {"name": "ase", "calculator": "ase.calculators.emt.EMT"}),
        ("water.xyz", "morse", {"name": "morse"}),
        ("water.xyz", "pyscf", {"name": "pyscf"}),
        ("water.xyz", "faulty", {"name": "faulty", "inner": {"name": "morse"}}),
    ],
)
def test_written_configuration_is_the_default_one(folder, system, oracle, expected):
    path = folder / "config.yaml"
    path.write_text(render_config(folder / system, oracle, folder, path.name), encoding="utf-8")
    defaults = validate({"system": system, "oracle": expected}, folder=folder)
    assert load_config(path) == defaults


def test_every_setting_is_explained_with_its_unit(folder):
    text = render_config(folder / "water.xyz", "tblite", folder, "config.yaml")
    words = [line.strip().partition(":")[0] for line in text.splitlines() if not line.strip().startswith("#")]
    for key in known_keys(RunConfig):
        if key.startswith(("system.", "oracle.")):
            continue
        assert key.rpartition(".")[2] in words
    for key in BUILT_IN["tblite"].settings.model_fields:
        assert key in words
    assert "[eV/Å]" in text
    assert unit_of("target.force_error") == "eV/Å"
    assert unit_of("seed") == ""


def test_awkward_file_names_survive(folder):
    molecule("N2").write(folder / "no.xyz")
    (folder / "no.xyz").rename(folder / "no")
    molecule("N2").write(folder / "my file: 1.xyz")
    for name in ("no", "my file: 1.xyz"):
        text = render_config(folder / name, "tblite", folder, "c.yaml")
        (folder / "c.yaml").write_text(text, encoding="utf-8")
        assert load_config(folder / "c.yaml").system.paths == (str(folder / name),)


def test_structure_elsewhere_is_named_absolutely(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    assert f"system: {folder / 'water.xyz'}" in render_config(folder / "water.xyz", "tblite", other, "c.yaml")


def test_structures_are_starts_in_the_order_of_the_files(folder):
    system = SystemConfig(paths=(str(folder / "silicon.cif"), str(folder / "water.xyz")))
    assert [len(structure) for structure in start_structures(system)] == [2, 3]


def test_repeated_cell(folder):
    system = SystemConfig(paths=(str(folder / "silicon.cif"),), repeat=(2, 1, 3))
    (structure,) = start_structures(system)
    assert len(structure) == 12
    with pytest.raises(InputError, match="periodic in three directions"):
        start_structures(SystemConfig(paths=(str(folder / "water.xyz"),), repeat=(2, 1, 1)))


def test_unusable_structure_files(folder):
    (folder / "torn.xyz").write_text("3\nhalf a molecule\nO 0 0\n")
    for name in ("absent.xyz", "torn.xyz"):
        with pytest.raises(InputError, match=name):
            start_structures(SystemConfig(paths=(str(folder / name),)))


@pytest.mark.parametrize(("name", "step"), [("H2O", 0.5), ("CO", 1.0), ("Si2", 2.0)])
def test_automatic_timestep(name, step):
    atoms = bulk("Si") if name == "Si2" else molecule(name)
    assert automatic_timestep([Structure.from_atoms(atoms)]) == step

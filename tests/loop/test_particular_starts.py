"""A run on atoms that are partly held, on isotopes, on an ion: questions, labels and walkers have all of it."""

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from runs import EMT as EMT_SECTION
from runs import cluster, make_config, same_model

import thalweg
from thalweg.errors import InputError, OracleError
from thalweg.loop.setup import prepare
from thalweg.oracles.ase import AseOracle
from thalweg.oracles.registry import make_oracle
from thalweg.store import SqliteStore


def held_cluster(folder):
    """Six copper atoms, two of them held, all of them lighter, with velocities."""
    path = cluster(folder)
    atoms = ase.io.read(path)
    atoms.set_masses(np.full(len(atoms), 20.0))
    atoms.set_constraint(FixAtoms([0, 3]))
    atoms.set_momenta(np.full((6, 3), 0.5), apply_constraint=False)
    ase.io.write(folder / "held.traj", atoms)
    return folder / "held.traj"


class Magnetic(Calculator):
    """EMT less what the moments that it hears of are worth."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        bare = atoms.copy()
        bare.calc = EMT()
        moments = np.abs(atoms.get_initial_magnetic_moments()).sum()
        self.results = {"energy": bare.get_potential_energy() - moments, "forces": bare.get_forces()}


def test_held_atoms_and_masses_go_all_the_way(tmp_path):
    start = ase.io.read(held_cluster(tmp_path))
    config = make_config(tmp_path / "held.traj", budget={"oracle_calls": 25}, explore={"time": 0.5})
    thalweg.learn(config, tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        records = store.all_labels()
        said = " ".join(event.text for event in store.events())
    assert "2 of 6 atoms held" in said
    assert "velocities of 1 of 1 start structures are not taken" in said
    structures = [record.structure for record in records if len(record.structure) > 1]
    assert len(structures) > 5
    for structure in structures:
        assert structure.amu.tolist() == [20.0] * 6
        assert structure.fixed.all(axis=1).tolist() == [True, False, False, True, False, False]
        assert np.abs(structure.positions[[0, 3]] - start.positions[[0, 3]]).max() < 1e-9
    spread = [np.abs(one.positions - start.positions)[[1, 2, 4, 5]].max() for one in structures]
    assert max(spread) > 0.05
    # what is held has a force all the same, and it is learned
    assert max(np.abs(record.label.forces[0]).max() for record in records if len(record.structure) > 1) > 0.1
    thalweg.learn(config, tmp_path / "again")
    assert same_model(tmp_path / "run" / "model", tmp_path / "again" / "model")


def test_moments_reach_the_calculator_at_every_call(tmp_path):
    atoms = ase.io.read(cluster(tmp_path))
    atoms.set_initial_magnetic_moments([0.6] * 6)
    ase.io.write(tmp_path / "magnet.traj", atoms)
    config = make_config(
        tmp_path / "magnet.traj", budget={"oracle_calls": 12}, explore={"time": 0.2}, oracle=EMT_SECTION
    )
    thalweg.learn(config, tmp_path / "run", oracle=AseOracle(Magnetic()))
    with SqliteStore.read(tmp_path / "run") as store:
        records = [record for record in store.all_labels() if len(record.structure) > 1]
    assert len(records) > 4
    for record in records:
        bare = record.structure.to_atoms(constraints=False)
        bare.calc = EMT()
        assert record.label.energy == pytest.approx(bare.get_potential_energy() - 3.6, abs=1e-9)


def test_the_charge_of_the_file_is_labelled(tmp_path):
    ammonia = molecule("NH3")
    ammonium = ammonia + molecule("H")
    ammonium.positions[-1] = ammonium.positions[0] - [0, 0, 1.02 * np.sign(ammonium.positions[1, 2] or 1)]
    del ammonium.arrays["initial_magmoms"]
    ammonium.info["charge"] = 1
    ase.io.write(tmp_path / "ion.xyz", ammonium)
    config = make_config(
        tmp_path / "ion.xyz",
        oracle={"name": "tblite"},
        budget={"oracle_calls": 10},
        explore={"timestep": 0.5, "time": 0.05},
    )
    thalweg.learn(config, tmp_path / "run")
    with SqliteStore.read(tmp_path / "run") as store:
        records = [record for record in store.all_labels() if len(record.structure) > 1]
    assert {record.structure.charge for record in records} == {1}
    again = make_oracle({"name": "tblite", "charge": 1}).label(records[0].structure)
    assert again.energy == records[0].label.energy


def test_what_cannot_be_is_refused_before_the_first_call(tmp_path):
    radical = molecule("CH3")
    del radical.arrays["initial_magmoms"]
    ase.io.write(tmp_path / "radical.xyz", radical)
    with pytest.raises(
        OracleError, match=r"start structure 1 of 1 \(.*radical\.xyz, structure 1\): GFN2-xTB: CH3 has 9 "
    ):
        thalweg.learn(make_config(tmp_path / "radical.xyz", oracle={"name": "tblite"}), tmp_path / "run")
    water, cation = molecule("H2O"), molecule("H2O")
    cation.info |= {"charge": 1, "multiplicity": 2}
    ase.io.write(tmp_path / "two.xyz", [water, cation])
    with pytest.raises(InputError, match="sees neither charge nor spin"):
        thalweg.learn(make_config(tmp_path / "two.xyz", oracle={"name": "tblite"}), tmp_path / "run")
    assert (
        not (tmp_path / "run" / "thalweg.db").exists() or not SqliteStore.read(tmp_path / "run").all_labels()
    )


@pytest.mark.parametrize("section", [{"strain": 0.02}, {"ensemble": "npt"}])
def test_a_cell_that_is_to_move_must_not_have_held_atoms(tmp_path, section):
    from ase.build import bulk

    atoms = bulk("Cu", cubic=True)
    atoms.set_constraint(FixAtoms([0]))
    ase.io.write(tmp_path / "held.xyz", atoms)
    with pytest.raises(InputError, match="some are held in the structure file"):
        prepare(make_config(tmp_path / "held.xyz", explore=section), make_oracle(EMT_SECTION))


def test_a_start_that_is_held_as_a_whole_is_refused(tmp_path):
    atoms = molecule("H2O")
    atoms.set_constraint(FixAtoms([0, 1, 2]))
    ase.io.write(tmp_path / "held.xyz", atoms)
    with pytest.raises(InputError, match=r"held\.xyz, structure 1\): all of its 3 atoms are held"):
        prepare(
            make_config(tmp_path / "held.xyz", oracle={"name": "tblite"}), make_oracle({"name": "tblite"})
        )
    atoms.set_constraint(FixAtoms([0, 1]))
    ase.io.write(tmp_path / "held.xyz", atoms)
    prepare(make_config(tmp_path / "held.xyz", oracle={"name": "tblite"}), make_oracle({"name": "tblite"}))

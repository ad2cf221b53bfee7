"""From a configuration to what a run needs."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk, fcc111, molecule
from ase.cluster import Octahedron
from runs import cluster, crystal, make_config

from thalweg.errors import InputError
from thalweg.loop.setup import SAMPLE_FS, SEEDS, prepare
from thalweg.oracles.registry import make_oracle
from thalweg.structure import Structure
from thalweg.units import GPa


def setup_of(path, **changes):
    config = make_config(path, **changes)
    return prepare(config, make_oracle(config.oracle.model_dump()))


class Silent:
    """An oracle that gives no stress."""

    gives_stress = False

    def __init__(self, oracle):
        self.oracle = oracle

    def __getattr__(self, name):
        return getattr(self.oracle, name)


def silent_setup(path, **changes):
    config = make_config(path, **changes)
    return prepare(config, Silent(make_oracle(config.oracle.model_dump())))


def test_the_rules_are_the_users_words_in_the_policys_units(tmp_path):
    setup = setup_of(cluster(tmp_path), acquisition={"batch": 3}, target={"force_error": 0.07})
    assert setup.rules.target.force_error == 0.07
    assert setup.rules.target.confidence == 0.9
    assert (setup.rules.time_fs, setup.rules.block_fs) == (3000.0, 100.0)
    assert (setup.rules.walkers, setup.rules.oracle_calls, setup.rules.batch) == (2, 90, 3)
    assert setup.temperatures == (200.0, 400.0)
    assert setup.explorer.settings.timestep_fs == 2.0
    assert setup.explorer.settings.record_stride * setup.explorer.settings.timestep_fs == SAMPLE_FS


def test_a_batch_fills_the_workers(tmp_path):
    setup = setup_of(cluster(tmp_path), executor={"kind": "process", "workers": 4})
    assert setup.rules.batch == 4


def test_the_basis_holds_every_element_of_every_structure_once(tmp_path):
    path = tmp_path / "two.xyz"
    ase.io.write(path, [Octahedron("Cu", 2), Octahedron("Ag", 2)])
    setup = setup_of(path)
    assert setup.basis.elements == ("Cu", "Ag")
    assert setup.basis.r_cut == 4.5
    assert len(setup.structures) == 2


def test_the_automatic_timestep_is_shorter_with_hydrogen(tmp_path):
    path = tmp_path / "water.xyz"
    ase.io.write(path, molecule("H2O"))
    light = setup_of(path, explore={"timestep": None})
    heavy = setup_of(cluster(tmp_path), explore={"timestep": None})
    assert 0.2 <= light.explorer.settings.timestep_fs <= 1.0 < heavy.explorer.settings.timestep_fs


def test_long_steps_and_heat_beyond_any_bond_are_warned_of(tmp_path):
    assert setup_of(cluster(tmp_path)).warnings == ()
    warned = setup_of(cluster(tmp_path), explore={"timestep": 15.0, "temperature": [300.0, 9000.0]}).warnings
    assert [text.split(":")[0] for text in warned] == ["explore.timestep", "explore.temperature"]
    assert "9000 K is hotter than any bond" in warned[1]


def test_seeds_begin_with_the_start_structure_and_follow_from_the_generator(tmp_path):
    setup = setup_of(cluster(tmp_path), seeds={"count": None})
    seeds = setup.seeds(np.random.default_rng(1))
    hashes = [seed.content_hash for seed in seeds]
    assert len(seeds) == setup.n_seeds == SEEDS == len(set(hashes))
    assert hashes[0] == setup.structures[0].content_hash
    assert hashes == [seed.content_hash for seed in setup.seeds(np.random.default_rng(1))]
    assert hashes != [seed.content_hash for seed in setup.seeds(np.random.default_rng(2))]


def test_seeds_neither_exceed_the_budget_nor_what_was_asked_for(tmp_path):
    assert setup_of(cluster(tmp_path), seeds={"count": None}, budget={"oracle_calls": 5}).n_seeds == 5
    assert setup_of(cluster(tmp_path), seeds={"count": 3}).n_seeds == 3


def test_a_start_structure_given_twice_is_one_seed(tmp_path):
    path = tmp_path / "twice.xyz"
    ase.io.write(path, [Octahedron("Cu", 2)] * 2 + [Octahedron("Cu", 2, latticeconstant=3.7)])
    seeds = setup_of(path, seeds={"count": 6}).seeds(np.random.default_rng(0))
    assert len(seeds) == len({seed.content_hash for seed in seeds}) == 5


def test_walkers_take_the_start_structures_in_turn_up_the_ladder(tmp_path):
    path = tmp_path / "two.xyz"
    ase.io.write(path, [Octahedron("Cu", 2), Octahedron("Cu", 2, latticeconstant=3.7)])
    setup = setup_of(path, explore={"walkers": 3, "temperature": [200, 400]})
    walkers = setup.walkers()
    assert [walker.temperature for walker in walkers] == pytest.approx([200.0, 200.0 * 2**0.5, 400.0])
    assert [walker.walker_id for walker in walkers] == [0, 1, 2]
    starts = [structure.content_hash for structure in setup.structures]
    assert [walker.structure.content_hash for walker in walkers] == [starts[0], starts[1], starts[0]]
    assert not np.array_equal(walkers[0].velocities, walkers[2].velocities)


def test_walkers_of_a_crystal_are_strained_from_end_to_end(tmp_path):
    setup = setup_of(crystal(tmp_path), explore={"strain": 0.03, "walkers": 3})
    factors = [walker.structure.cell[0, 0] / 3.6 for walker in setup.walkers()]
    assert factors == pytest.approx([0.97, 1.0, 1.03])
    fractional = [w.structure.positions @ np.linalg.inv(w.structure.cell) for w in setup.walkers()]
    assert np.allclose(fractional[0], fractional[2])


def shears(walkers):
    """Largest off-diagonal strain of each walker's cell, once its volume is scaled out."""
    return [float(np.abs(w.structure.cell / w.structure.cell[0, 0] - np.eye(3)).max()) for w in walkers]


def test_with_a_stress_at_hand_walkers_are_sheared_too_and_without_one_they_are_not(tmp_path):
    explore = {"strain": 0.03, "walkers": 4}
    sheared = setup_of(crystal(tmp_path), explore=explore).walkers()
    assert shears(sheared) == pytest.approx([0.0075] * 4, rel=0.05)
    assert len({tuple(np.argwhere(w.structure.cell > 0.01).ravel()) for w in sheared}) == 4
    assert shears(silent_setup(crystal(tmp_path), explore=explore).walkers()) == pytest.approx([0.0] * 4)


def test_a_single_walker_is_not_strained(tmp_path):
    setup = setup_of(crystal(tmp_path), explore={"strain": 0.03, "walkers": 1, "temperature": 300})
    assert (
        setup.walkers()[0].structure.content_hash
        == Structure.from_atoms(bulk("Cu", "fcc", a=3.6, cubic=True)).content_hash
    )


def test_seeds_of_a_strained_crystal_have_many_volumes(tmp_path):
    strained = setup_of(crystal(tmp_path), explore={"strain": 0.03}, seeds={"count": 8})
    plain = setup_of(crystal(tmp_path), explore={"strain": 0}, seeds={"count": 8})
    rng = np.random.default_rng
    assert len({round(seed.volume, 6) for seed in strained.seeds(rng(0))}) > 2
    assert len({round(seed.volume, 6) for seed in plain.seeds(rng(0))}) == 1


def test_seeds_of_a_crystal_are_strained_unless_told_otherwise_and_walkers_keep_its_cell(tmp_path):
    setup = setup_of(crystal(tmp_path), seeds={"count": 8})
    assert setup.seed_strain == 0.03
    assert len({round(seed.volume, 6) for seed in setup.seeds(np.random.default_rng(0))}) > 2
    assert all(w.structure.cell[0, 0] == 3.6 for w in setup.walkers())
    assert setup_of(cluster(tmp_path)).seed_strain == 0.0
    slab = tmp_path / "slab.xyz"
    atoms = fcc111("Cu", (2, 2, 2), vacuum=6.0, periodic=True)
    atoms.info.clear()
    ase.io.write(slab, atoms)
    assert setup_of(slab).seed_strain == 0.0


def test_crystals_may_change_their_shape_and_liquids_only_their_volume(tmp_path):
    npt = {"ensemble": "npt"}
    assert setup_of(crystal(tmp_path), explore=npt).explorer.settings.coupling == "full"
    liquid = tmp_path / "liquid.xyz"
    atoms = bulk("Cu", "fcc", a=3.8, cubic=True) * (2, 2, 2)
    atoms.rattle(0.4, seed=1)
    ase.io.write(liquid, atoms)
    assert setup_of(liquid, explore=npt).explorer.settings.coupling == "isotropic"
    assert silent_setup(crystal(tmp_path), explore=npt).coupling == "isotropic"


def test_a_cell_smaller_than_the_cutoff_is_warned_of_with_the_repeats_that_would_do(tmp_path):
    (small,) = setup_of(crystal(tmp_path)).warnings
    assert "atoms are 3.60 Å from their own images" in small
    assert "{repeat: [2, 2, 2]}" in small
    large = {"paths": [str(crystal(tmp_path))], "repeat": [2, 2, 2]}
    assert setup_of(crystal(tmp_path), system=large).warnings == ()
    assert setup_of(cluster(tmp_path)).warnings == ()


def test_a_stress_target_needs_a_stress(tmp_path):
    setup = setup_of(crystal(tmp_path), target={"stress_error": "2 kbar"})
    assert setup.rules.target.stress_error == pytest.approx(0.2 * GPa)
    with pytest.raises(InputError, match=r"target\.stress_error: a stress needs structures"):
        setup_of(cluster(tmp_path), target={"stress_error": 0.2})


def test_what_cannot_be_strained_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"explore\.strain: only structures that are periodic"):
        setup_of(cluster(tmp_path), explore={"strain": 0.03})


def test_walkers_at_a_pressure(tmp_path):
    setup = setup_of(
        crystal(tmp_path), explore={"ensemble": "npt", "pressure": "20 kbar", "coupling": "full"}
    )
    assert (
        setup.explorer.settings.ensemble,
        setup.explorer.settings.pressure_gpa,
        setup.explorer.settings.coupling,
    ) == ("npt", 2.0, "full")
    with pytest.raises(InputError, match=r"explore\.ensemble: npt needs structures that are periodic"):
        setup_of(cluster(tmp_path), explore={"ensemble": "npt"})

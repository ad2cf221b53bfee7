"""Noise of labels: its laws are found, and stress labels that disagree with energies and forces are."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from copper import copper
from thalweg.coherence import Coherence, Finding
from thalweg.features import AceBasis
from thalweg.features.zbl import shortest_distances
from thalweg.fitting import FitSettings, fit_labels, make_baseline
from thalweg.fitting.data import Spread
from thalweg.fitting.doubt import doubt_of
from thalweg.fitting.screening import Screen, ScreeningSetup
from thalweg.fitting.spread import (
    Law,
    excess_energies,
    force_sizes,
    judge_stress,
)
from thalweg.label import Label
from thalweg.models import RowKind
from thalweg.units import GPa

BASIS = AceBasis(("Cu",), 5.0, correlation_order=3, max_degree=(8, 6, 4))
UNIT = np.array([1.0, 1, 1, 0, 0, 0])


@pytest.fixture(scope="module")
def labelled():
    return copper(40)


def with_stress(labelled, change):
    return [(s, replace(label, stress=change(k, label.stress))) for k, (s, label) in enumerate(labelled)]


def test_a_law_leaves_thermal_structures_as_they_are():
    spread = Law(1.2)(np.array([0.0, 0.1, 1.2, 40.0]))
    assert spread.tolist() == pytest.approx([1.0, 1.0, np.sqrt(2), 33.3], rel=4e-3)


def test_excess_energies_do_not_mind_composition_or_outliers(labelled):
    squeezed = labelled[:20]
    h = excess_energies(squeezed, ("Cu",))
    energies = np.array([label.energy / len(s) for s, label in squeezed])
    assert np.allclose(h, energies - energies.min())
    structure, label = squeezed[0]
    high = (structure, replace(label, energy=label.energy + 400.0))
    assert excess_energies([*squeezed[1:], high], ("Cu",))[-1] > 40


def test_force_sizes_are_rms_components(labelled):
    structure, label = labelled[0]
    alone = (structure, Label(label.energy, np.full((len(structure), 3), np.nan)))
    sizes = force_sizes([labelled[0], alone])
    assert sizes[0] == pytest.approx(np.sqrt(np.mean(label.forces**2)))
    assert sizes[1] == 0.0


def judged(labelled):
    screen = Screen(labelled, make_baseline(labelled, ("Cu",)), FitSettings())
    return screen.judge(ScreeningSetup(5.0))


def test_sound_stress_labels_raise_no_warning(labelled):
    spread, found = judged(labelled)
    assert found.warning is None
    assert spread.pressure == 0.0
    assert (found.n_labels, found.pressure) == (40, 0.0)


def test_a_constant_pressure_beyond_doubt_is_taken_away(labelled):
    off = with_stress(labelled, lambda _, stress: stress + 3.0 * GPa * UNIT)
    assert judged(off)[1].pressure == 0.0  # nobody has said that there is one
    fitted = fit_labels(off, BASIS)
    assert fitted.stress.pressure == pytest.approx(3.0, abs=0.3)
    assert "constant +" in fitted.stress.warning
    errors = np.array(
        [(fitted.potential.predict(s).stress - label.stress)[:3].mean() / GPa for s, label in labelled]
    )
    assert abs(errors.mean()) < 0.3  # against the labels before they were shifted


def test_labels_in_another_order_of_components_count_less(labelled):
    wrong = with_stress(
        labelled, lambda k, stress: stress[[2, 0, 1, 5, 3, 4]] * (-1) ** k if k < 12 else stress
    )
    spread, found = judged(wrong)
    assert found.n_outliers >= 8
    assert "deviate" in found.warning
    # the label of each structure is found again by its stress: judging does not change the order
    is_wrong = np.arange(len(wrong)) < 12
    assert spread.virial[is_wrong].mean() > 5 * spread.virial[~is_wrong].mean()
    assert (spread.virial[~is_wrong] < 2).mean() > 0.9


def test_energies_survive_bad_stress_labels(labelled):
    wrong = with_stress(labelled, lambda k, stress: -5 * stress if k % 4 == 0 else stress)
    held_out = copper(15, seed=5)

    def energy_error(fit):
        return np.std([(fit.potential.predict(s).energy - label.energy) / len(s) for s, label in held_out])

    sound = fit_labels(labelled, BASIS)
    assert energy_error(fit_labels(wrong, BASIS)) < 2 * energy_error(sound) + 1e-4


def test_the_repulsion_stays_inside_the_shortest_labelled_distance(labelled):
    structures = [structure for structure, _ in labelled]
    shortest = shortest_distances(structures, ("Cu",), 3.0)[0, 0]
    squeezed = [(replace_positions(s, 0.8), label) for s, label in labelled]
    baseline = make_baseline(squeezed, ("Cu",))
    assert baseline.zbl.cutoffs.outer[0, 0] == pytest.approx(0.8 * shortest)
    assert make_baseline(labelled, ("Cu",)).zbl.cutoffs.outer[0, 0] > 0.8 * shortest


def replace_positions(structure, factor):
    return replace(structure, positions=structure.positions * factor, cell=structure.cell * factor)


class Says:
    """Stands for a potential; what it says of stress is off by a share of the label's own, and by some GPa."""

    def __init__(self, labelled, share, off):
        self.known = {id(structure): label.stress for structure, label in labelled}
        self.share, self.off = share, off

    def predict(self, structure):
        return SimpleNamespace(stress=self.known[id(structure)] * (1 - self.share) - self.off * GPa)


@pytest.mark.parametrize(("share", "is_odd"), [(0.05, False), (0.5, True)])
def test_a_squeezed_crystal_may_deviate_by_a_share_of_its_stress(labelled, share, is_odd):
    rng = np.random.default_rng(3)
    small = with_stress(labelled, lambda k, _: rng.normal(0, 0.1, 6) * GPa)
    squeezed = with_stress(small[:1], lambda k, _: -100 * GPa * UNIT)
    everyone = [*squeezed, *small[1:]]
    spread, found = judge_stress(everyone, Says(everyone, share, rng.normal(0, 0.05, 6)), Spread.alike(40))
    assert (spread.virial[0] > 10) == is_odd
    assert found.n_outliers == int(is_odd)


def test_virials_grow_noisy_as_energies_do(labelled):
    energy = np.linspace(1.0, 3.0, 40)
    screen = Screen(labelled, make_baseline(labelled, ("Cu",)), FitSettings())
    screen.energy_sizes = 1.2 * np.sqrt(energy**2 - 1.0)
    spread, _ = screen.judge(ScreeningSetup(5.0, energy=Law(1.2)))
    assert np.allclose(spread.virial, energy, rtol=1e-6)


@pytest.mark.parametrize("doubted", [RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL])
def test_stress_is_not_judged_where_any_quantity_is_wrong_as_a_whole(doubted):
    alike = {kind: np.ones(4) for kind in (RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL)}
    right = Coherence((), alike)
    wrong = Coherence((Finding((doubted,), "unit", "wrong"),), alike, frozenset({doubted}))
    assert doubt_of(right, range(4)).judges_stress
    assert not doubt_of(wrong, range(4)).judges_stress

"""The fused linear model against its definition through the four operations; consistency of the kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
from comparison import close

from thalweg import _native
from thalweg.features import AceBasis, Features, set_num_threads
from thalweg.features.batch import pack
from thalweg.features.zbl import ZblBaseline
from thalweg.structure import Structure

MEMBERS = 3
RANK = 5


@pytest.fixture(scope="module")
def model(basis: AceBasis) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    S, p = len(basis.elements), basis.n_features
    components = np.array([np.linalg.qr(rng.normal(size=(p, RANK)))[0].T for _ in range(S)])
    return {
        "weights": rng.normal(size=(S, p)),
        "deltas": 0.1 * rng.normal(size=(MEMBERS, S, p)),
        "references": rng.normal(size=S),
        "mean": rng.normal(size=(S, p)),
        "scale": rng.uniform(0.1, 1.0, size=(S, p)),
        "components": np.ascontiguousarray(components),
        "factors": rng.uniform(0.5, 2.0, size=(S, RANK)),
        "rest": rng.uniform(0.5, 2.0, size=S),
    }


def force_field(features: Features, m: dict[str, np.ndarray], zbl: object = None) -> _native.LinearForceField:
    novelty = _native.NoveltyModel(
        mean=m["mean"], scale=m["scale"], components=m["components"], factors=m["factors"], rest=m["rest"]
    )
    return _native.LinearForceField(features.native, m["weights"], m["deltas"], m["references"], novelty, zbl)


def compute(
    field: _native.LinearForceField, basis: AceBasis, structures: list[Structure]
) -> list[np.ndarray]:
    return list(field.compute(*pack(structures, basis.elements).arrays, deviation=True, novelty=True))


def test_force_field_is_its_definition(
    features: Features, model: dict[str, np.ndarray], molecule: Structure, crystal: Structure
) -> None:
    structures = [molecule, crystal]
    species = pack(structures, features.basis.elements).species
    energies, forces, virials, deviation, novelty = compute(
        force_field(features, model), features.basis, structures
    )
    phi = features.phi(structures)
    g = np.concatenate([model["weights"][None], model["deltas"]])[:, species]
    gradients, strain = features.vjp(structures, g)
    per_atom = np.sum(g[0] * phi, axis=1) + model["references"][species]
    n = len(molecule)
    np.testing.assert_allclose(energies, [per_atom[:n].sum(), per_atom[n:].sum()], rtol=1e-11)
    assert close(forces, -gradients[0], 1e-10)
    assert close(virials, strain[0], 1e-10)
    assert close(deviation, np.sqrt((gradients[1:] ** 2).sum(axis=2).mean(axis=0)), 1e-10)
    x = (phi - model["mean"][species]) * model["scale"][species]
    t = np.einsum("irk,ik->ir", model["components"][species], x)
    square = np.sum(t**2 * model["factors"][species], axis=1)
    square += model["rest"][species] * (np.sum(x**2, axis=1) - np.sum(t**2, axis=1))
    np.testing.assert_allclose(novelty, np.sqrt(square), rtol=1e-9)


def test_zbl_is_added(features: Features, model: dict[str, np.ndarray], molecule: Structure) -> None:
    squeezed = [molecule.with_positions(0.5 * molecule.positions)]
    zbl = ZblBaseline(features.basis.elements)
    plain = compute(force_field(features, model), features.basis, squeezed)
    both = compute(force_field(features, model, zbl.native), features.basis, squeezed)
    for with_zbl, without, part in zip(both, plain, zbl.compute(squeezed), strict=False):
        assert close(with_zbl - without, part, 1e-8)


def test_results_do_not_depend_on_the_batch(
    features: Features, model: dict[str, np.ndarray], molecule: Structure, crystal: Structure
) -> None:
    field = force_field(features, model)
    rng = np.random.default_rng(1)
    others = [molecule.with_positions(molecule.positions + rng.normal(0, 0.1, (9, 3))) for _ in range(6)]
    alone = compute(field, features.basis, [molecule])
    together = compute(
        field, features.basis, [others[0], crystal, *others[1:3], molecule, *others[3:], crystal]
    )
    start = len(molecule) * 3 + len(crystal)
    assert together[0][4] == alone[0][0]
    assert (together[1][start : start + 9] == alone[1]).all()
    assert (together[2][4] == alone[2][0]).all()
    assert (together[3][start : start + 9] == alone[3]).all()
    assert (together[4][start : start + 9] == alone[4]).all()
    assert (together[1][:9] != alone[1]).any()


@pytest.fixture
def two_threads() -> Iterator[None]:
    set_num_threads(2)
    yield
    set_num_threads(1)


@pytest.fixture(scope="module")
def one_thread_results(
    features: Features, model: dict[str, np.ndarray], molecule: Structure, crystal: Structure
) -> list[np.ndarray]:
    return compute(force_field(features, model), features.basis, [molecule, crystal] * 8)


@pytest.mark.usefixtures("two_threads")
def test_threads_change_no_bit(
    features: Features,
    model: dict[str, np.ndarray],
    molecule: Structure,
    crystal: Structure,
    one_thread_results: list[np.ndarray],
) -> None:
    assert _native.num_threads() == 2
    for _ in range(20):
        results = compute(force_field(features, model), features.basis, [molecule, crystal] * 8)
        assert all((a == b).all() for a, b in zip(results, one_thread_results, strict=True))


@pytest.mark.parametrize("instructions", ["baseline", "avx2", "avx512"])
def test_instruction_sets_agree(
    basis: AceBasis, model: dict[str, np.ndarray], molecule: Structure, crystal: Structure, instructions: str
) -> None:
    from thalweg.errors import InputError

    try:
        other = Features(basis, instructions=instructions)
    except InputError:
        pytest.skip(f"this processor has no {instructions}")
    assert other.native.instructions == instructions
    results = compute(force_field(other, model), basis, [molecule, crystal])
    expected = compute(force_field(Features(basis), model), basis, [molecule, crystal])
    assert all(close(a, b) for a, b in zip(results, expected, strict=True))
    v = np.random.default_rng(2).normal(size=(len(crystal), 3))
    assert close(other.jvp([crystal], v), Features(basis).jvp([crystal], v))
    assert close(other.jacobian(crystal)[2], Features(basis).jacobian(crystal)[2])


def test_unknown_instruction_set_is_refused(basis: AceBasis) -> None:
    from thalweg.errors import InputError

    with pytest.raises(InputError, match="instruction set"):
        Features(basis, instructions="mmx")


def test_wrong_shapes_are_refused(features: Features, model: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="weights"):
        _native.LinearForceField(
            features.native, model["weights"][:, 1:], model["deltas"], model["references"]
        )


@pytest.mark.usefixtures("two_threads")
def test_a_forked_child_can_compute(features: Features, molecule: Structure) -> None:
    expected = features.phi([molecule] * 20)
    child = os.fork()
    if child == 0:
        os._exit(0 if (features.phi([molecule] * 20) == expected).all() else 1)
    assert os.waitpid(child, 0)[1] == 0

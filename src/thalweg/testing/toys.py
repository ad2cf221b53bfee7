"""Toy structures and labels, and what tests of a store do with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.errors import StoreError
from thalweg.label import Label, LabelNoise
from thalweg.store import Store
from thalweg.structure import Structure

ORACLE = '{"name":"toy"}'


def toy_structure(seed: int, *, periodic: bool = False) -> Structure:
    """Three atoms, another three for each seed."""
    rng = np.random.default_rng(seed)
    cell = 10.0 * np.eye(3) + rng.standard_normal((3, 3)) if periodic else np.zeros((3, 3))
    return Structure(np.array([8, 1, 1]), rng.standard_normal((3, 3)), cell, np.full(3, periodic))


def toy_label(seed: int, *, stress: bool = False, oracle: str = ORACLE) -> Label:
    """A label of such a structure, other numbers for each seed."""
    rng = np.random.default_rng(100 + seed)
    voigt = rng.standard_normal(6) if stress else None
    noise = LabelNoise(1e-3, 2e-3, 3e-3)
    return Label(float(rng.standard_normal()), rng.standard_normal((3, 3)), voigt, noise, oracle, 0.25)


def learn(store: Store, seed: int, kind: str = "query", iteration: int = 0) -> int:
    """Ask about a toy structure and learn its label; returns its place in the order of learning."""
    structure = toy_structure(seed)
    question = store.add_question(structure, kind, iteration=iteration)
    label = toy_label(seed)
    return store.commit_label(structure, label, kind=kind, iteration=iteration, question_id=question)


def energies(store: Store) -> list[float]:
    """Those of the learned labels, in order."""
    return [record.label.energy for record in store.labels_in_order()]


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    """The message of the StoreError that a call raises; AssertionError where it raises none."""
    try:
        call(*arguments, **options)
    except StoreError as error:
        return str(error)
    raise AssertionError(f"{call} was expected to raise StoreError")

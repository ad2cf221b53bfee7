import numpy as np

from thalweg.label import Label, LabelNoise
from thalweg.structure import Structure

ORACLE = '{"name":"toy"}'


def structure(seed, *, periodic=False):
    rng = np.random.default_rng(seed)
    cell = 10.0 * np.eye(3) + rng.standard_normal((3, 3)) if periodic else np.zeros((3, 3))
    return Structure(np.array([8, 1, 1]), rng.standard_normal((3, 3)), cell, np.full(3, periodic))


def label(seed, *, stress=False, oracle=ORACLE):
    rng = np.random.default_rng(100 + seed)
    voigt = rng.standard_normal(6) if stress else None
    return Label(
        rng.standard_normal(), rng.standard_normal((3, 3)), voigt, LabelNoise(1e-3, 2e-3, 3e-3), oracle, 0.25
    )

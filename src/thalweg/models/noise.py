"""Noise levels that belong together: energies and virials held near the forces.

The evidence takes rows for independent. Where the basis is what limits a fit, errors are shared by all
rows of a structure; forces, by far the most, then have their way, and the evidence calls energies and virials
noise. Where labels are few it does the reverse, and takes energies, which a model of many columns can meet
exactly, for free of noise; normal equations lose their digits with such weights. An energy error is a force
error over a displacement, and a virial error one over a bond: their noise is held between the forces' noise
times SWAY and times BOND. Much better energies for some per cent of force is what that buys on silicon.
"""

from __future__ import annotations

import numpy as np

from thalweg.models.linear import BayesianLinear
from thalweg.models.observation import KINDS, RowKind

SWAY = (0.02, 0.25)
"""Å; least and largest noise level of energies, per sqrt(atom), over the forces' noise."""
BOND = (0.2, 2.5)
"""Å; least and largest noise level of virials, per sqrt(atom), over the forces' noise."""


def hold_noise(model: BayesianLinear) -> None:
    """Bring the noise levels of energy and virial within the limits that the module docstring gives."""
    x, noise = model.fitted.x.copy(), model.noise
    for kind, lengths in ((RowKind.ENERGY, SWAY), (RowKind.VIRIAL, BOND)):
        place = model.prior.n_prior + KINDS.index(kind)
        x[place] = np.clip(x[place], *np.log(np.array(lengths) * noise[RowKind.FORCES]))
    model.set_hyperparameters(x)

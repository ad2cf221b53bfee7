"""Errors that others have published for the sets of `accuracy.py`: meV/atom and eV/Å, and where each is printed.

A figure is of the test set unless its row says "training". None: not printed. Most test structures of the POD fits to
indium phosphide were trained on: `fitpod` drew both parts from one folder, and by the energies and volumes listed with
the fits 304 of 379 are in both for linear POD 1058.
"""

from __future__ import annotations

from dataclasses import dataclass

JARVIS = "JARVIS leaderboard, mlearn"
POD = "cesmix-mit/pod-examples"
FITSNAP = "FitSNAP, examples"


@dataclass(frozen=True)
class Published:
    """One model's errors on one set."""

    model: str
    source: str
    energy_mae: float | None = None
    energy_rmse: float | None = None
    forces_mae: float | None = None
    forces_rmse: float | None = None
    training: bool = False
    seen: bool = False

    @property
    def part(self) -> str:
        """What the errors are of."""
        return "training" if self.training else "test, mostly trained on" if self.seen else "test"


SI = (
    Published("FastPOD", POD, 4.34, 5.43, 0.0837, 0.1274),
    Published("SNAP", JARVIS, 18.92, 22.74, 0.1759, 0.3371),
    Published("SNAP, tuned weights", "materialyzeai/maml#491", None, 8.06, None, None),
    Published("M3GNet (matgl)", JARVIS, 15.75, 20.87, 0.1124, 0.1690),
    Published("ALIGNN-FF", JARVIS, 19.03, 24.22, 0.0694, 0.1204),
    Published("NequIP", JARVIS, None, None, 0.0901, 0.1345),
    Published("Allegro", JARVIS, None, None, 0.1761, 0.2638),
    Published("CHGNet, fine-tuned", JARVIS, None, None, 0.1355, 0.2093),
)
CU = (
    Published("SNAP", JARVIS, 18.04, 29.83, 0.0596, 0.1222),
    Published("M3GNet (matgl)", JARVIS, 10.16, 15.69, 0.0177, 0.0340),
    Published("ALIGNN-FF", JARVIS, 14.56, 21.89, 0.0194, 0.0525),
)
MO = (Published("SNAP", JARVIS, 17.35, 20.01, 0.1843, 0.3129),)
GE = (
    Published("FastPOD", POD, 2.854, 3.191, 0.0710, 0.1039),
    Published("SNAP", JARVIS, 40.63, 48.10, 0.0975, 0.1419),
)
LI = (Published("SNAP", JARVIS, 4.21, 8.55, 0.0273, 0.0366),)
TA = (
    Published("linear SNAP", FITSNAP, 112.8, 379.8, 0.0758, 0.1610, training=True),
    Published("quadratic SNAP", FITSNAP, 0.238, 0.540, 0.01585, 0.02699, training=True),
    Published("PACE example", FITSNAP, 38.3, 99.8, 0.1693, 0.3153, training=True),
    Published("PACE, ARD", FITSNAP, 29.2, 49.0, 0.0599, 0.1107, training=True),
    Published("PACE, ridge", FITSNAP, 54.9, 77.5, 0.0664, 0.1228, training=True),
    Published("FastPOD", POD, 1.130, 2.116, 0.0513, 0.1005, training=True),
)
INP = (
    Published("linear POD, 1058", POD, 0.393, 0.907, 0.00989, 0.01643, seen=True),
    Published("linear POD, 515", POD, 1.021, 1.538, 0.01583, 0.02889, seen=True),
    Published("quadratic POD, largest", POD, 0.405, None, 0.002326, None, seen=True),
    Published("quadratic POD, fourth", POD, 0.242, None, 0.003913, None, seen=True),
    Published("linear ACE, ~740", POD, 9.76, 93.6, 0.01815, 0.03733),
    Published("EME-SNAP, 2J = 10", POD, 9.46, None, 0.03039, None),
    Published("FastPOD", POD, 0.147, 0.231, 0.00757, 0.01232, training=True),
)
PUBLISHED: dict[str, tuple[Published, ...]] = {
    "si": SI,
    "cu": CU,
    "mo": MO,
    "ta": TA,
    "inp": INP,
    "acac": (),
    "ge": GE,
    "li": LI,
}

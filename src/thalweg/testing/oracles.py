"""The contract of an oracle as tests: hold your own oracle against it.

check_oracle(oracle, structures)        raises OracleContractError with every law that is broken
class TestMine(OracleContract): ...     the same as a class for pytest, one test for each law
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.oracles.base import Oracle
from thalweg.structure import Structure
from thalweg.testing import oracle_laws as laws
from thalweg.testing.oracle_answers import OracleContractError, Tolerances


def check_oracle(
    oracle: Oracle, structures: Sequence[Structure], tolerances: Tolerances | None = None
) -> None:
    """Hold an oracle to every law of the contract.

    Parameters
    ----------
    oracle : the oracle
    structures : small ones that it can label, away from their energy minimum; two or more say more than one
    tolerances : for a method whose answers are rough

    Raises
    ------
    OracleContractError
        One line for each broken law.
    """
    broken = []
    for law in laws.LAWS:
        try:
            law(oracle, structures, tolerances or Tolerances())
        except OracleContractError as error:
            broken.append(f"{law.__name__}: {error}")
    if broken:
        raise OracleContractError("\n".join(broken))


class OracleContract:
    """Tests for pytest: subclass it, with `oracle`, `structures` and, for rough methods, `tolerances`."""

    tolerances = Tolerances()

    def oracle(self) -> Oracle:
        """A new oracle, with settings that make a call fast."""
        raise NotImplementedError

    def structures(self) -> Sequence[Structure]:
        """Small structures that it can label, away from their energy minimum."""
        raise NotImplementedError

    def test_members(self) -> None:
        """It has every member, of the right kind."""
        laws.members(self.oracle(), self.structures(), self.tolerances)

    def test_same_bits(self) -> None:
        """The same structure has the same label, to the last bit, whatever was asked before."""
        laws.same_bits(self.oracle(), self.structures(), self.tolerances)

    def test_forces(self) -> None:
        """Forces are the derivative of the energy."""
        laws.forces_are_the_derivative(self.oracle(), self.structures(), self.tolerances)

    def test_stress(self) -> None:
        """The stress is the derivative of the energy, where there is one."""
        laws.stress_is_the_derivative(self.oracle(), self.structures(), self.tolerances)

    def test_symmetries(self) -> None:
        """A shift of all atoms and another order of them change nothing."""
        laws.symmetries(self.oracle(), self.structures(), self.tolerances)

    def test_ladder(self) -> None:
        """Every rung of the ladder gives the same answer."""
        laws.ladder(self.oracle(), self.structures(), self.tolerances)

    def test_outcomes(self) -> None:
        """Absurd structures have an outcome and raise nothing."""
        laws.outcomes_are_typed(self.oracle(), self.structures(), self.tolerances)

    def test_isolated_atoms(self) -> None:
        """Lone atoms are labelled, where the oracle says so."""
        laws.isolated_atoms(self.oracle(), self.structures(), self.tolerances)

    def test_particulars(self) -> None:
        """An ion is refused or has another label; masses and held atoms change nothing."""
        laws.particulars(self.oracle(), self.structures(), self.tolerances)

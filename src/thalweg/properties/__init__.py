"""From a potential, or anything with energies, to a number that people compare with experiment."""

from thalweg.properties.eos import EquationOfState, equation_of_state, potential_equation_of_state

__all__ = ["EquationOfState", "equation_of_state", "potential_equation_of_state"]

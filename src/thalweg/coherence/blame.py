"""Which of three quantities is wrong, and how: two that agree outvote the third.

    energies-forces   forces-stress   energies-stress
    differ            agree           any               energies
    differ            differ          not differ        forces
    any               differ          differ            stress      (energies-forces do not differ)

With two quantities only, or where the third knows nothing, they contradict each other and none is blamed; but energies
per atom, an order of components, and a virial for a stress can be only one quantity's doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from thalweg.coherence.findings import NAMES, Finding
from thalweg.coherence.pairs import Hypothesis, Pair, State, near_one
from thalweg.coherence.units import EXPECTED, like, unit_of
from thalweg.models import RowKind

E, F, S = RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL
SMALL = (0.25, 4.0)
"""Factors that misfit may feign where bases are small and structures far apart."""
BELONGS = {"per atom": E, "offset": E, "order": S, "virial": S}
"""What may have been done to one quantity alone."""
Pairs = Mapping[frozenset[RowKind], Pair]


def findings_of(pairs: Pairs, sizes: tuple[float, float], volumes: tuple[float, float]) -> list[Finding]:
    """What the pairs say.

    Parameters
    ----------
    sizes, volumes : smallest and largest number of atoms and volume (Å³) of the labels
    """
    differing = [pair for pair in pairs.values() if pair.state is State.DIFFER and not _vouched(pair, pairs)]
    if not differing:
        return []
    context = (sizes, volumes)
    culprit = find_culprit(pairs)
    if culprit is not None:
        pair = _clearest([_own_of(culprit, pair) for pair in differing if culprit in pair.kinds])
        return [_blamed(culprit, pair, context)]
    found: dict[str, Finding] = {}
    for pair in differing:
        finding = _contradiction(pair, context)
        found.setdefault(finding.key, finding)
    return list(found.values())


def _vouched(pair: Pair, pairs: Pairs) -> bool:
    """Whether the third quantity confirms both of a pair, which are off by a small factor only."""
    if pair.best.how != "factor" or not SMALL[0] < pair.best.profile.factor < SMALL[1]:
        return False
    (third,) = {E, F, S} - pair.kinds
    others = [pairs.get(frozenset({kind, third})) for kind in pair.kinds]
    return all(other is not None and other.state is State.AGREE for other in others)


def find_culprit(pairs: Pairs) -> RowKind | None:
    """The one quantity that the others outvote, if there is one."""
    blamed = [kind for kind in (E, F, S) if _outvoted(kind, pairs)]
    return blamed[0] if len(blamed) == 1 else None


def _outvoted(kind: RowKind, pairs: Pairs) -> bool:
    state = {kinds: pair.state for kinds, pair in pairs.items()}
    own = [state[kinds] for kinds in state if kind in kinds]
    (others,) = [state.get(frozenset({E, F, S} - {kind}), State.SILENT)]
    if State.DIFFER not in own or others is State.DIFFER or State.AGREE in own:
        return False
    return others is State.AGREE or own.count(State.DIFFER) == 2


def _own_of(kind: RowKind, pair: Pair) -> Pair:
    """The pair as one of its quantities has it: what only the other may have had done to it is a factor here."""
    if BELONGS.get(pair.best.how, kind) is kind:
        return pair
    return replace(pair, best=Hypothesis("factor", "", pair.plain, 0.0, pair.voice.targets))


def _clearest(pairs: list[Pair]) -> Pair:
    """The one that says most: more than a factor, or a factor that is known best."""
    return min(pairs, key=lambda pair: (pair.best.how == "factor", pair.unrelated, _width(pair)))


def _width(pair: Pair) -> float:
    low, high = pair.best.profile.interval
    return abs(float(np.log(high / low))) if low * high > 0 else float("inf")


Context = tuple[tuple[float, float], tuple[float, float]]


def _blamed(kind: RowKind, pair: Pair, context: Context) -> Finding:
    """A finding about one quantity."""
    how, words = _description(kind, pair, context)
    others = " and ".join(NAMES[other] for other in (E, F, S) if other is not kind)
    text = f"{NAMES[kind]} contradict{'s' if kind is S else ''} {others}, which do not contradict each other: {words}"
    return Finding((kind,), how, text + _of_both(kind, how, pair), (), _numbers(kind, pair))


def _of_both(kind: RowKind, how: str, pair: Pair) -> str:
    """What else a stress in no known unit may be: the one right quantity beside energies and forces of one unit."""
    if kind is not S or how != "factor":
        return ""
    factor, (low, high) = _factor(S, pair)
    unit = unit_of(E, 1.0 / factor, (1.0 / high, 1.0 / low)) if factor > 0.0 and low > 0.0 else None
    return f", or energies are in {unit} and forces in {unit}/Å" if unit else ""


def _contradiction(pair: Pair, context: Context) -> Finding:
    """A finding about two quantities; about one where only that can be so changed."""
    own = BELONGS.get(pair.best.how)
    if own is not None:
        how, words = _description(own, pair, context)
        other = NAMES[pair.source]
        return Finding((own,), how, f"{NAMES[own]} against {other}: {words}", (), _numbers(own, pair))
    kinds = tuple(kind for kind in (E, F, S) if kind in pair.kinds)
    first, second = (_description(kind, pair, context) for kind in kinds)
    text = f"{NAMES[kinds[0]]} and {NAMES[kinds[1]]} contradict each other: either {first[1]}, or {second[1]}"
    if kinds == (E, F) and unit_of(F, *_factor(F, pair)) == "eV/Bohr":
        text += ", or both are in atomic units (Hartree, Hartree/Bohr)"
    if pair.unrelated:
        text = f"{NAMES[kinds[0]]} and {NAMES[kinds[1]]} contradict each other: neither follows from the other at all"
    how = first[0] if first[0] == second[0] else "unrelated" if pair.unrelated else "factor"
    return Finding(kinds, how, text, (), _numbers(kinds[1], pair))


def _factor(kind: RowKind, pair: Pair) -> tuple[float, tuple[float, float]]:
    """Label over what it should be, of one of a pair, and its interval."""
    factor, (low, high) = pair.best.profile.factor, pair.best.profile.interval
    if kind is pair.target or factor == 0.0 or low * high <= 0.0:
        return factor, (low, high)
    return 1.0 / factor, (1.0 / high, 1.0 / low)


def _numbers(kind: RowKind, pair: Pair) -> dict[str, float]:
    factor, (low, high) = _factor(kind, pair)
    return {"factor": factor, "factor_low": low, "factor_high": high}


def _description(kind: RowKind, pair: Pair, context: Context) -> tuple[str, str]:
    """How a quantity is wrong, in a word and in words."""
    factor, interval = _factor(kind, pair)
    best = pair.best
    if pair.unrelated:
        return (
            "unrelated",
            f"{NAMES[kind]} do{'es' if kind is S else ''} not follow from the structures as the others do",
        )
    if best.how == "order" and kind is S:
        return (
            "order",
            f"components are in the order {best.name}; expected xx yy zz yz xz xy{_scaled(kind, factor, interval)}",
        )
    if best.how == "virial" and kind is S:
        each = " per atom" if best.name else ""
        return (
            "virial",
            f"they are virials{each}, volume times stress{_scaled(kind, factor, interval)}; expected eV/Å³",
        )
    if best.how == "offset" and kind is E:
        return (
            "offset",
            "their zero is another for each composition (relative energies, or a constant added); "
            "expected total energies",
        )
    if best.how == "per atom" and kind is E:
        return "per atom", f"they are per atom{_scaled(kind, factor, interval)}; expected the total energy"
    return _of_factor(kind, factor, interval, context)


def _of_factor(
    kind: RowKind, factor: float, interval: tuple[float, float], context: Context
) -> tuple[str, str]:
    """What a plain factor may be."""
    if near_one(-factor):
        return "sign", _SIGNS[kind]
    opposite = ", and of opposite sign" if factor < 0 else ""
    sign = float(np.sign(factor))
    (fewest, most), (least, largest) = context
    named: dict[str, str] = {}
    if kind is E and most > 1 and _like_both(factor, interval, sign / fewest, sign / most):
        named["per atom"] = "per atom"
    if kind is S and least > 0 and _like_both(factor, interval, sign * least, sign * largest):
        named["virial"] = "a virial, volume times stress"
    unit = unit_of(kind, factor, interval)
    if unit is not None:
        named["unit"] = f"in {unit}"
    verb, what = ("is", "it") if kind is S else ("are", "they")
    if named:
        expected = "the total energy in eV" if kind is E else EXPECTED[kind]
        words = f"{NAMES[kind]} {verb} {', or '.join(named.values())}{opposite}; expected {expected}"
        return next(iter(named)), words
    return "factor", f"{NAMES[kind]} {verb} {factor:.3g} times what {what} should be"


def _like_both(factor: float, interval: tuple[float, float], one: float, other: float) -> bool:
    return like(factor, interval, one) and like(factor, interval, other)


def _scaled(kind: RowKind, factor: float, interval: tuple[float, float]) -> str:
    """What beside is to be said of the factor."""
    if near_one(factor):
        return ""
    opposite = ", and of opposite sign" if factor < 0 else ""
    if near_one(-factor):
        return opposite
    unit = unit_of(kind, factor, interval)
    return f", in {unit}{opposite}" if unit else f", times {factor:.3g}"


_SIGNS = {
    E: "energies have the opposite sign",
    F: "forces are gradients, of opposite sign (force = -dE/dr is expected)",
    S: "stress has the opposite sign (ASE's is expected: negative under compression)",
}

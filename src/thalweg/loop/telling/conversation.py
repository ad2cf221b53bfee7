"""The messages of a run: one function for each line. teller.py decides who says them and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from thalweg.explorers.origin import Parting
from thalweg.fitting.references import LEAST_BINDING, MOST_BINDING
from thalweg.label import Failure
from thalweg.labelling.question import Reason
from thalweg.loop.deciding.certification import Certificate
from thalweg.loop.deciding.forecast import Outlook
from thalweg.loop.deciding.stopping import AuditSummary
from thalweg.loop.learning.basing import BasisChoice
from thalweg.vocabulary import Coupling


def size(value: float) -> str:
    """A force error for reading: two decimals, or two digits where those would be zeros."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def answered_query(
    where: str, why: str, oracle: str, call: int, error: float, others: str, seconds: float
) -> str:
    """A question, its answer and what it took to learn it; `error` is the largest force error, eV/Å."""
    off = f"was off by {size(error)}{others}"
    return f"{where}: {why} -> asked {oracle} (call {call}): {off}; learned in {seconds:.2f} s"


def beside_forces(energy: float | None, stress: float | None) -> str:
    """Errors of the energy (eV/atom) and the stress (GPa, rms), to stand beside that of the forces."""
    words = [] if energy is None else [f"energy {1000.0 * energy:+.3g} meV/atom"]
    words += [] if stress is None else [f"stress {stress:.2g} GPa"]
    return f" ({', '.join(words)})" if words else ""


def handed_in(count: int, calls: int, budget: int) -> str:
    """What was handed in since the run last went on, and whether the budget has room for it."""
    what = "1 structure was" if count == 1 else f"{count} structures were"
    if calls < budget:
        return f"{what} handed in; to be labelled and learned before the walkers continue"
    return (
        f"{what} handed in and cannot be labelled: all {budget} oracle calls are used; "
        "raise budget.oracle_calls and run the same command again"
    )


def answered_audit(
    where: str, call: int, within: int, n_atoms: int, error: float, bound: float, others: str
) -> str:
    """An audit: how many atoms met the target; largest error against largest bound."""
    return (
        f"{where}: audit (call {call}): {within} of {n_atoms} atoms within the target, "
        f"largest error {size(error)}, bound {size(bound)} eV/Å{others}"
    )


def answered_seed(number: int, total: int, oracle: str, seconds: float) -> str:
    """A first label."""
    return f"seed {number} of {total}: asked {oracle} ({1000 * seconds:.0f} ms)"


def outlook_in_short(foreseen: Outlook) -> str:
    """What 50 more calls would bring, or that they would bring nothing."""
    later = next(one for one in foreseen.ahead if one.calls == 50)
    return f"after 50 more calls an error of about {size(later.error)} eV/Å (now {size(foreseen.error)})"


def outlook(foreseen: Outlook) -> str:
    """The error now and after further calls, with its interval, and when the target would be met."""
    later = ", ".join(
        f"after {one.calls} more calls {size(one.error)} ({size(one.low)} to {size(one.high)})"
        for one in foreseen.ahead
    )
    return f"force RMSE about {size(foreseen.error)} eV/Å now, {later}; {_when(foreseen.calls_needed)}"


def _when(calls: int | None) -> str:
    if calls is None:
        return "more calls alone would not reach the target"
    if calls == 0:
        return "the target is met; what is left is to certify it"
    return f"the target would be met after about {calls} more calls"


class Next(StrEnum):
    """What follows a failed call."""

    MORE_CAUTIOUSLY = "trying again more cautiously"
    AGAIN = "trying again"
    SET_ASIDE = "set aside; it will not be asked again"
    NO_CALL_LEFT = "no call is left to try again"


def failed_call(where: str, oracle: str, call: int, failure: Failure, then: Next) -> str:
    """An outcome that is not a label."""
    return f"{where}: {oracle} (call {call}) {failure.kind.replace('_', ' ')}: {failure.message}; {then}"


def isolated_atoms(energies: Mapping[str, float], oracle: str) -> str:
    """Reference energies (eV) by element."""
    listed = ", ".join(f"{symbol} {energy:.3f}" for symbol, energy in energies.items())
    return f"isolated atoms: asked {oracle}: {listed} eV"


FAR_FROM_REST = (0.5, 2.0)
"""Largest force (eV/Å) and pressure (GPa) above which a start structure is probably not meant as it is."""


@dataclass(frozen=True)
class StartFacts:
    """What is said of a start structure: largest force (eV/Å), pressure (GPa, None without a stress), fragments.

    `cell_may_relax` is false where it holds atoms, or vacuum.
    """

    formula: str
    force: float
    pressure: float | None
    fragments: str
    n_fragments: int
    n_pieces: int
    cell_may_relax: bool = True

    @property
    def is_far_from_rest(self) -> bool:
        """Whether it is probably not meant as it is."""
        return self.force > FAR_FROM_REST[0] or abs(self.pressure or 0.0) > FAR_FROM_REST[1]


def start_structure(number: int, total: int, facts: StartFacts) -> str:
    """What is known of a start structure, and the offer to relax it."""
    text = f"start {number} of {total}, {facts.formula}: largest force {size(facts.force)} eV/Å"
    if facts.pressure is not None:
        text += f", pressure {facts.pressure:.2g} GPa"
    text += (
        ", 1 fragment" if facts.n_fragments == 1 else f", {facts.n_fragments} fragments ({facts.fragments})"
    )
    if facts.n_pieces > 1:
        text += f", {facts.n_pieces} pieces that do not touch"
    if not facts.is_far_from_rest:
        return text
    is_squeezed = abs(facts.pressure or 0.0) > FAR_FROM_REST[1]
    if is_squeezed and not facts.cell_may_relax and facts.force <= FAR_FROM_REST[0]:
        return f"{text}; far from rest, and its cell cannot be relaxed (held atoms, or vacuum)"
    option = "--relax-cell" if is_squeezed and facts.cell_may_relax else "--relax"
    return f"{text}; far from rest: unless it is meant so, relax it first: {option} in a new run"


def coupling(chosen: Coupling) -> str:
    """What npt may change of the cell, where nobody has said it."""
    if chosen == "full":
        return "npt changes shape and volume of the cell (coupling: full): the starts are crystals"
    return (
        f"npt changes only the volume of the cell (coupling: {chosen}): the starts are no crystals at rest, or the "
        "oracle gives no stress"
    )


TOO_LATE_TO_RELAX = (
    "the start structures are not relaxed: this run began without it, and its labels belong to the structures as they "
    "are; relax them in a new run (--run FOLDER)"
)


def relaxed(
    number: int, total: int, facts: tuple[StartFacts, StartFacts], calls: int, converged: bool
) -> str:
    """A start structure before and after it was relaxed."""
    before, after = facts
    text = f"start {number} of {total}, {after.formula}: relaxed in {calls} calls: largest force "
    text += f"{size(before.force)} -> {size(after.force)} eV/Å"
    if before.pressure is not None and after.pressure is not None:
        text += f", pressure {before.pressure:.2g} -> {after.pressure:.2g} GPa"
    return text if converged else f"{text}; not at rest: no call is left for it, or the oracle failed"


def no_isolated_atom(symbol: str, oracle: str, why: str) -> str:
    """No reference energies: what stands in for them."""
    return f"isolated atoms: {oracle} gives no energy for {symbol} ({why}); reference energies are fitted instead"


def foreign_atom(element: str, energies: Sequence[float]) -> str:
    """An isolated atom of another method than the first labels."""
    listed = ", ".join(f"{energy:.6g}" for energy in energies)
    return (
        f"isolated {element} ({listed} eV) does not go with the first labels: atoms would be bound by less than "
        f"{LEAST_BINDING:g} or more than {MOST_BINDING:g} eV each; its reference energy is fitted to the labels instead"
    )


def finding(words: str) -> str:
    """What does not hold together among the labels."""
    return f"labels do not hold together: {words}"


def advice(words: str) -> str:
    """What keeps the run from its target."""
    return f"advice: {words}"


def advice_withdrawn(words: str) -> str:
    """An advice whose evidence is gone."""
    return f"no longer so: {words.partition(':')[0]}"


def taken_out(number: int, why: str, ask_again: bool) -> str:
    """A label that is unlike all others."""
    then = "asked once more" if ask_again else "set aside"
    return f"label {number}: {why}; taken out, {then}"


def learned_anew(n_labels: int) -> str:
    """Labels were withdrawn."""
    return f"labels were withdrawn: relearned the other {n_labels}; walkers restart"


def stepped_back(where: str, reason: Reason, back_fs: float) -> str:
    """A backtrack."""
    return f"{where}: {reason.text}; stepped back {back_fs:.0f} fs to the last sane structure"


def parted(where: str, what: str, how: Parting, goes_back: bool) -> str:
    """A walker that fell apart, or whose cell flowed."""
    cure = "; a liquid needs explore: {coupling: isotropic}" if how is Parting.FLOWED else ""
    return f"{where}: {what}; {'back to its start' if goes_back else 'it walks on'}{cure}"


def moved_on(walker: int, temperature: float, start: int) -> str:
    """A walker's next leg; `start` is counted from 1."""
    return f"walker {walker}, {temperature:.0f} K: goes on from start {start}"


def rejected(where: str, reason: Reason) -> str:
    """A reject."""
    return f"{where}: {reason.text}; no sane structure to step back to; walker rejected and restarted"


def tuned(noise_forces: float, n_labels: int, seconds: float, *, left_out: bool = False) -> str:
    """Hyperparameters moved, by the evidence or by what labels leave to a model of the others."""
    what = "held-out errors minimised" if left_out else "evidence maximised"
    return f"{what} at {n_labels} labels: force noise {noise_forces:.3f} eV/Å ({seconds:.1f} s)"


_SETTINGS = {"r_cut": "cutoff", "radial_exponent": "radial exponent", "radial_weight": "radial weight"}


def basis(choice: BasisChoice) -> str:
    """A look round for a better basis: what was adopted, or that the present one stays."""
    before, after = choice.before, choice.after
    words = [
        f"{name} {_length(key, after[key])} instead of {_length(key, before[key])}"
        for key, name in _SETTINGS.items()
        if after[key] != before[key]
    ]
    if after["n_features"] != before["n_features"]:
        words.append(f"{after['n_features']} features instead of {before['n_features']}")
    if choice.changed:
        return f"{choice.n_labels} labels: {', '.join(words)}: held-out error {choice.error:.2f} of before"
    what = f"none of {choice.tried} neighbouring bases is better by enough"
    return f"{choice.n_labels} labels: {what} (held-out error {choice.error:.2f} of the present); the basis stays"


def _length(setting: str, value: float) -> str:
    return f"{value:.1f} Å" if setting == "r_cut" else f"{value:g}"


def standing(summary: AuditSummary | None, certificate: Certificate | None) -> str:
    """Where the audits stand, for progress displays."""
    if certificate is not None:
        return f"certified: at least {100 * certificate.lower_bound:.1f} % within {certificate.force_error:g} eV/Å"
    if summary is None:
        return "no audit yet"
    return f"{100 * summary.fraction_within:.1f} % of audited atoms within the target ({summary.n_structures} audits)"


def changes(lines: Sequence[str]) -> str:
    """Settings that differ from those the run last went with."""
    return "settings changed: " + "; ".join(lines)

"""One check of a sample of labels, step by step (thalweg.coherence.check says in which order, and where each is)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from thalweg.coherence.blame import find_culprit, findings_of
from thalweg.coherence.findings import NAMES, Coherence, Finding
from thalweg.coherence.levels import Levels, find_levels
from thalweg.coherence.odd import (
    ODD,
    OddForces,
    excitation,
    forces_say_something,
    listen_to_forces,
    odd_rows,
)
from thalweg.coherence.orders import mixed_orders
from thalweg.coherence.pairs import LEAST, Pair, State, hold_against, implied_by
from thalweg.coherence.placeholders import find_placeholders, without_placeholders
from thalweg.coherence.pressure import find_offset
from thalweg.coherence.unrelated import forces_of_nothing
from thalweg.coherence.voices import Posterior, Voice, Voices
from thalweg.models import RowKind
from thalweg.structure import FloatArray, IntArray

E, F, S = RowKind.ENERGY, RowKind.FORCES, RowKind.VIRIAL
SMALLER_PART = 0.34
"""Labels on another level that are at most so many of all are the wrong ones."""
CLOSELY = 0.1
"""Scatter of energies about what forces imply of them, over the size of that, for something to be subtracted."""


@dataclass
class Examination:
    """One check, step by step; places are those in the sample."""

    voices: Voices
    findings: list[Finding] = field(default_factory=list)
    odd: dict[RowKind, FloatArray] = field(default_factory=dict)
    doubted: set[RowKind] = field(default_factory=set)
    pairs: dict[frozenset[RowKind], Pair] = field(default_factory=dict)
    levels: Levels | None = None
    pressure: float = 0.0
    heard: OddForces | None = None
    stress: Posterior | None = None

    def make(self) -> None:
        """All steps."""
        self.findings = find_placeholders(self.voices)
        self.doubted = {kind for f in self.findings if not f.places for kind in f.about}
        self._soften_placeholders()
        self.voices = without_placeholders(self.voices, self.findings)
        if self.voices.has(F, LEAST):
            self._by_forces()
        self._by_stress()
        self._judge()
        self.findings += odd_findings(self.odd, self.doubted, self.findings)

    def _soften_placeholders(self) -> None:
        n = len(self.voices.labelled)
        for kind in NAMES:
            self.odd[kind] = np.ones(n)
        for finding in self.findings:
            for place in finding.places:
                self.odd[finding.about[0]][place] = ODD**2

    # --- pairs ------------------------------------------------------------------------------------------

    def _by_forces(self) -> None:
        """Energies and stress against what forces imply; odd labels on the way."""
        heard = self.heard = listen_to_forces(self.voices)
        for kind in NAMES:  # what has gone wrong with the forces of a label has with all of it
            self._note_odd(kind, heard.size)
        sound = np.flatnonzero(heard.size < ODD)
        if not forces_say_something(self.voices):
            return
        if (finding := forces_of_nothing(self.voices, heard)) is not None:
            self.findings.append(finding)
            self.doubted.add(F)
            return
        if self.voices.has(E, LEAST):
            self._energies_by(heard.posterior, F, sound)
        if self.voices.has(S, LEAST):
            self._stress_by_forces(heard.posterior, sound)

    def _energies_by(self, posterior: Posterior, source: RowKind, sound: IntArray) -> None:
        """Energies against what a quantity implies of them, odd ones and levels apart."""
        voice = self.voices.by_kind[E]
        voice = voice.of(np.intersect1d(voice.labels, sound))
        pair = hold_against(self.voices, posterior, source, E, voice.labels)
        if pair is None:
            return
        if pair.state is not State.DIFFER or pair.unrelated:
            pair = self._apart(posterior, source, pair)
        self.pairs[pair.kinds] = pair

    def _apart(self, posterior: Posterior, source: RowKind, pair: Pair) -> Pair:
        """The pair without labels that are odd, or on another level, where it is a pair without them.

        Of both, what says it with fewer labels.
        """
        levels = find_levels(self.voices, pair.voice, pair.implied) if self.levels is None else self.levels
        plain = self._without_odd(posterior, source, pair.voice)
        n_odd = (
            len(pair.voice.labels) if plain is None else len(pair.voice.labels) - len(plain[0].voice.labels)
        )
        if levels is None or n_odd < len(levels.places):
            return pair if plain is None else self._settled(source, *plain)
        if self.levels is None:
            self._note_levels(levels, len(pair.voice.labels))
        same = pair.voice.of(np.setdiff1d(pair.voice.labels, levels.places))
        again = self._without_odd(posterior, source, same)
        return pair if again is None else self._settled(source, *again)

    def _without_odd(
        self, posterior: Posterior, source: RowKind, voice: Voice
    ) -> tuple[Pair, FloatArray] | None:
        """Energies without odd ones against what is implied of them, and sizes; None where they do not agree."""
        size = odd_rows(self.voices, voice, implied_by(self.voices, posterior, voice))
        again = hold_against(self.voices, posterior, source, E, voice.labels[size[voice.labels] < ODD])
        return None if again is None or again.state is not State.AGREE else (again, size)

    def _settled(self, source: RowKind, pair: Pair, size: FloatArray) -> Pair:
        if source is F or F not in self.voices.by_kind:  # stress may have an offset, which looks odd in some
            self._note_odd(E, size)
        return pair

    def _note_levels(self, levels: Levels, total: int) -> None:
        self.levels = levels
        self.findings.append(_levels_finding(levels, total))
        if len(levels.places) > SMALLER_PART * total:
            self.doubted.add(E)
        else:
            self.odd[E][list(levels.places)] = ODD**2

    def _stress_by_forces(self, forces: Posterior, sound: IntArray) -> None:
        """Stress against what forces imply; labels in another order, and odd ones, apart."""
        voice = self.voices.by_kind[S]
        pair = hold_against(self.voices, forces, F, S, np.intersect1d(voice.labels, sound))
        if pair is None:
            return
        pair = self._without_other_orders(forces, pair)
        if pair.state is not State.DIFFER or pair.unrelated:
            size = odd_rows(self.voices, pair.voice, pair.implied)
            kept = pair.voice.labels[size[pair.voice.labels] < ODD]
            again = hold_against(self.voices, forces, F, S, kept)
            if again is not None and again.state is State.AGREE:
                self._note_odd(S, size)
                pair = again
        self.pairs[pair.kinds] = pair

    def _without_other_orders(self, forces: Posterior, pair: Pair) -> Pair:
        """The pair without labels that have their components in another order than the rest."""
        found = mixed_orders(pair)
        if found is None:
            return pair
        rest = np.setdiff1d(pair.voice.labels, found.places)
        again = hold_against(self.voices, forces, F, S, rest)
        if again is None or again.state is not State.AGREE:
            return pair
        self.findings.append(found)
        self.odd[S][list(found.places)] = ODD**2
        return again

    def _by_stress(self) -> None:
        """Energies against what stress implies."""
        if not (self.voices.has(S, LEAST) and self.voices.has(E, LEAST)):
            return
        stress = self.voices.by_kind[S]
        sound = stress.labels[self.odd[S][stress.labels] < ODD]
        if len(sound) < LEAST:
            return
        self.stress = Posterior(self.voices.basis, [stress.of(sound)], excitation(self.voices))
        energies = self.voices.by_kind[E].labels
        self._energies_by(self.stress, S, energies[self.odd[E][energies] < ODD])

    # --- what comes of them -----------------------------------------------------------------------------

    def _judge(self) -> None:
        """Who is wrong; and where nobody is, whether a constant pressure is between energies and stress."""
        sizes = self.voices.sizes
        volumes = [s.volume for s, label in self.voices.labelled if label.stress is not None and s.pbc.all()]
        span = (min(volumes), max(volumes)) if volumes else (0.0, 0.0)
        found = findings_of(self.pairs, (float(sizes.min()), float(sizes.max())), span)
        found = [finding for finding in found if not self.doubted & set(finding.about)]
        self.findings += found
        culprit = find_culprit(self.pairs)
        if culprit is not None:
            self.doubted.add(culprit)
        self.doubted |= {f.about[0] for f in found if f.how in ("per atom", "offset", "order", "virial")}
        if self.stress is not None and not self.doubted and not found:
            self._find_pressure(self.stress)

    def _find_pressure(self, stress: Posterior) -> None:
        offset = find_offset(self.voices, self._sound(E), stress)
        if offset is None:
            return
        self.findings.append(offset.finding())
        if offset.wrong is E:
            self.doubted.add(E)
        elif offset.wrong is S and self._confirm_each_other():
            self.pressure = offset.pressure

    def _confirm_each_other(self) -> bool:
        """Whether forces and energies agree, and as closely as those of one method do."""
        pair = self.pairs.get(frozenset({E, F}))
        if pair is None or pair.state is not State.AGREE:
            return False
        size = float(np.std(pair.implied.mean))
        return pair.plain.sigma < CLOSELY * size

    def _sound(self, kind: RowKind) -> Voice:
        voice = self.voices.by_kind[kind]
        return voice.of(voice.labels[self.odd[kind][voice.labels] < ODD])

    def _note_odd(self, kind: RowKind, size: FloatArray) -> None:
        self.odd[kind] = np.maximum(self.odd[kind], size)

    def result(self) -> Coherence:
        """In the places of the sample."""
        agreeing = frozenset(kinds for kinds, pair in self.pairs.items() if pair.state is State.AGREE)
        return Coherence(tuple(self.findings), self.odd, frozenset(self.doubted), agreeing, self.pressure)


def odd_findings(
    odd: Mapping[RowKind, FloatArray], doubted: Collection[RowKind], others: Sequence[Finding]
) -> list[Finding]:
    """A finding for each quantity that is odd in some labels, those apart that others are about."""
    named, found = {place for finding in others for place in finding.places}, []
    for kind in (F, E, S):
        places = [int(i) for i in np.flatnonzero(odd[kind] >= ODD) if i not in named]
        if places and kind not in doubted:
            named.update(places)
            found.append(_odd_finding(kind, places, odd[kind]))
    return found


def _levels_finding(levels: Levels, total: int) -> Finding:
    unit, per = ("eV/atom", "") if levels.per_atom else ("eV", " each")
    text = (
        f"energies of {len(levels.places)} of {total} labels are {levels.shift:+.3g} {unit}{per} from those of the "
        "others, as the other quantities have it: two levels of theory, or jumps to another state"
    )
    return Finding(
        (E,), "levels", text, levels.places, {"shift": levels.shift, "n_labels": len(levels.places)}
    )


def _odd_finding(kind: RowKind, places: list[int], size: FloatArray) -> Finding:
    worst = sorted(places, key=lambda place: -size[place])
    n, verb = len(places), "is" if kind is S else "are"
    text = (
        f"{NAMES[kind]} of {n} label{'' if n == 1 else 's'} {verb} unlike all others: off by up to "
        f"{size[worst[0]]:.0f} times what is usual"
    )
    return Finding((kind,), "odd", text, tuple(worst), {"n_labels": n, "worst": float(size[worst[0]])})

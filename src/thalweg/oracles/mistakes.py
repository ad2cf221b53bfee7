"""Which failures are mistakes in the settings: the same call fails the same way however often it is tried.

Programs say so in their own words: a pseudopotential, basis or data file that is not there, a keyword that they do not
know. What may be a matter of the structure or of the machine is none of these.
"""

from __future__ import annotations

import re

_FILES = r"\b(?:pseudo\w*|PAW|POTCAR|UPF|PSML|PSF|basis(?:[ _-]?set)?|parameter|potential|species)\b"
_ABSENT = (
    r"\b(?:not found|not be found|does not exist|is missing|missing|cannot be (?:found|opened|read)|could not "
    r"(?:be )?(?:find|found|open|opened|read)|cannot (?:find|open|read)|no such file|unable to (?:find|open|read))\b"
)
_MISTAKES = re.compile(
    "|".join(
        (
            r"Error in routine (?:readpp|read_pseudo|(?:read_)?upf\w*|read_namelists|read_cards|card_\w+|iosys)\b",
            r"\bfile \S+\.(?:upf|psf|psml|psp8|vps|pbe|lda)\S* not found",
            rf"{_FILES}[^\n]{{0,120}}{_ABSENT}",
            rf"{_ABSENT}[^\n]{{0,60}}{_FILES}",
            r"UNRECOGNIZED OR DUPLICATED KEYWORD|\bunknown (?:keyword|subsection|method|functional|basis)\b",
            r"\bunrecogni[sz]ed (?:keyword|input|option)\b",
            r"QPErr|syntax error was detected in the input",  # Gaussian
        )
    ),
    re.IGNORECASE,
)


def is_mistake(text: str) -> bool:
    """Whether a program's words, or an exception's, speak of settings or files that no further try mends."""
    return _MISTAKES.search(text) is not None


def element_left_out(error: BaseException) -> str | None:
    """The element for which the calculator's options hold nothing, where that is what the error says.

    ASE's calculators look such things up by symbol: pseudopotentials, basis sets, Hubbard terms.
    """
    from ase.data import atomic_numbers

    key = error.args[0] if isinstance(error, KeyError) and error.args else None
    return key if isinstance(key, str) and key in atomic_numbers and key != "X" else None

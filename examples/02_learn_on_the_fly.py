"""Learn copper on the fly: walkers move on the map, and the oracle is asked where the map is uncertain.

The same from the command line: `thalweg run examples/copper.yaml`.
"""

import tempfile
from pathlib import Path

import thalweg

config = {
    "system": str(Path(__file__).parent / "copper.xyz"),
    "oracle": {"name": "ase", "calculator": "ase.calculators.emt.EMT"},
    "target": {"force_error": "0.03 eV/Å", "confidence": 0.95},
    "explore": {"temperature": [300, 900], "walkers": 2, "time": "2 ps"},
    "budget": {"oracle_calls": 60},
}


class Listener:
    """Prints the conversation."""

    def event(self, kind, text, data):
        print(text)

    def progress(self, progress):
        pass


with tempfile.TemporaryDirectory() as folder:
    summary = thalweg.learn(config, folder, Listener())
    potential = thalweg.Potential.load(Path(folder) / "model")

print(f"\n{summary.oracle_calls} calls, {summary.audit_calls} of them audits")
print(f"{summary.md_steps} steps walked; stopped: {summary.verdict.message}")
print(f"the potential knows {', '.join(potential.elements)} from {summary.n_labels} labels")

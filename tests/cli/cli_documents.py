"""What the library gives to the command line to print, and what a run was started with."""

SUMMARY = {
    "oracle_calls": 87,
    "audit_calls": 9,
    "failed_calls": 1,
    "iterations": 40,
    "n_labels": 86,
    "n_features": 300,
    "target": {"force_error": 0.15, "confidence": 0.95},
    "audit": {"n_structures": 9, "force_rmse": 0.05, "force_error_quantile": 0.12, "interval": [0.96, 0.99]},
    "calibration": {"factor": {"C": 1.2}, "coverage": 0.97},
    "stop": {"reason": "target", "message": "the target is certified", "certified": {}},
    "md_steps": 400000,
    "timing": {"wall": 100.0, "oracle": 1.0, "explore": 60.0, "fit": 20.0, "other": 19.0},
    "model_path": "model",
}


ERRORS = {
    "train": {"n_structures": 1, "forces_rmse": 0.0123},
    "test": {"n_structures": 2, "forces_rmse": 0.0456, "coverage": float("nan")},
}

CONFIG = {
    "system": {"paths": ["water.xyz"]},
    "oracle": {"name": "tblite", "method": "GFN2-xTB"},
    "target": {"force_error": 0.15, "confidence": 0.95},
    "explore": {"temperature": [300.0]},
    "budget": {"oracle_calls": 10},
}

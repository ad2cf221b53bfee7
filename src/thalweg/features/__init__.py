"""What an atom sees: ACE features of its neighbours, and their derivatives."""

from thalweg.features.basis import AceBasis, FeatureTable
from thalweg.features.design import DesignRows, design_rows
from thalweg.features.evaluate import Features, set_num_threads

__all__ = ["AceBasis", "DesignRows", "FeatureTable", "Features", "design_rows", "set_num_threads"]

from thalweg.testing.store import ORACLE, toy_label, toy_structure

structure, label = toy_structure, toy_label

__all__ = ["ORACLE", "label", "structure"]

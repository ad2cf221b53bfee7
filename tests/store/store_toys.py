from thalweg.testing.toys import ORACLE, toy_label, toy_structure

structure, label = toy_structure, toy_label

__all__ = ["ORACLE", "label", "structure"]

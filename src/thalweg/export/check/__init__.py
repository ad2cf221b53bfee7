"""Whether an exported potential says what ours says: the files read again, and LAMMPS where it is found.

Nothing here shares code with the writer, nor with our evaluator.
"""

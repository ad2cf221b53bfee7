"""Its presence puts this folder on the import path, so that tests share `small_potentials`.

Linear algebra keeps to one thread, as the verbs have it: two threads on a machine with other work wait for each other,
and tests of seconds take minutes.
"""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

"""Sums over labels: what they add up to, and that their bits depend on the rows alone."""

import numpy as np

from thalweg.models.gram import Gram


def test_bits_do_not_depend_on_when_the_sum_is_looked_at():
    rng = np.random.default_rng(7)
    seen, unseen = Gram.zeros(9), Gram.zeros(9)
    rows = [rng.standard_normal((int(rng.integers(1, 60)), 9)) for _ in range(40)]
    for k, block in enumerate(rows):
        for gram in (seen, unseen):
            gram.add(block, block[:, 0])
        if k % 3:
            assert seen.G.shape == (9, 9)
            assert seen.residual2(np.ones(9)) > 0.0
    assert np.array_equal(seen.G, unseen.G)
    together = np.concatenate(rows)
    np.testing.assert_allclose(np.triu(unseen.G), np.triu(together.T @ together), rtol=1e-12)
    assert not np.tril(unseen.G, -1).any()
    assert Gram.total(9, [seen, unseen]).m == 2 * len(together)
    np.testing.assert_allclose(Gram.total(9, [seen, unseen]).G, 2.0 * seen.G, rtol=1e-12)

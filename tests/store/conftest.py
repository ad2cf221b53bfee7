import pytest

from thalweg.store import SqliteStore


@pytest.fixture
def store(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        yield store

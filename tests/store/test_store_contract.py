"""Both stores held to the laws."""

import pytest

from thalweg.store import MemoryStore, SqliteStore, Store
from thalweg.testing.store import StoreContract
from thalweg.testing.toys import learn


class ByStatement:
    """Damages done behind the store's back; the checksums stay what they were."""

    def label(self, store, number):
        store._execute("UPDATE labels SET energy = energy + 1e-9 WHERE id = ?", (number,))

    def structure(self, store, structure_hash):
        (blob,) = store._rows("SELECT positions FROM structures WHERE hash = ?", (structure_hash,))[0]
        turned = bytes([blob[0] ^ 1]) + blob[1:]
        store._execute("UPDATE structures SET positions = ? WHERE hash = ?", (turned, structure_hash))

    def newest_checkpoint(self, store):
        store._execute(
            "UPDATE checkpoints SET state = replace(state, 'k', 'j') "
            "WHERE iteration = (SELECT max(iteration) FROM checkpoints)"
        )


class TestSqliteStore(StoreContract):
    damages = ByStatement()

    def open_store(self, place):
        return SqliteStore.open(place)


class TestMemoryStore(StoreContract):
    durable = False
    damages = ByStatement()

    def open_store(self, place):
        return MemoryStore()


def test_the_contract_finds_a_store_that_breaks_a_law(tmp_path):
    class Forgetful(SqliteStore):
        def rewind(self):
            pass

    class Broken(TestSqliteStore):
        def open_store(self, place):
            return Forgetful.open(place)

    with pytest.raises(AssertionError):
        Broken().test_law_5_the_order_of_learning(tmp_path)


def test_a_store_fits_the_protocol(tmp_path):
    def takes(store: Store) -> int:
        return len(store.runs())

    with SqliteStore.open(tmp_path) as one, MemoryStore() as other:
        assert takes(one) == takes(other) == 0


def test_a_copy_in_memory_goes_its_own_way(tmp_path):
    with SqliteStore.open(tmp_path) as store:
        learn(store, 0)
    with MemoryStore.copy_of(tmp_path) as copy:
        assert learn(copy, 1) == 2
    with SqliteStore.read(tmp_path) as store:
        assert len(store.all_labels()) == 1

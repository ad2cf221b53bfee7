"""Files are replaced as a whole, or an error says why and they are as they were."""

import stat

import pytest

from thalweg.errors import SetupError, StoreError
from thalweg.files import moved_into_place, write_atomically


def written(path, text):
    with moved_into_place(path) as draft:
        draft.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("write", [write_atomically, written])
def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path, write):
    path, ordinary = tmp_path / "out.json", tmp_path / "ordinary"
    path.write_text("old")
    ordinary.write_text("")
    write(path, "neu: Å\n")
    assert path.read_text(encoding="utf-8") == "neu: Å\n"
    assert sorted(tmp_path.iterdir()) == [ordinary, path]
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


@pytest.mark.parametrize(("write", "error"), [(write_atomically, StoreError), (written, SetupError)])
def test_where_it_cannot_be_the_old_file_stays(tmp_path, write, error, monkeypatch):
    path = tmp_path / "out.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(error, match=r"out\.json: No space left on device.*free some space"):
        write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]

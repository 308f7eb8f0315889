from pathlib import Path

import pytest

from harness.base.errors import BreakevenError
from harness.base.whole import written_whole


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    with written_whole(path) as place:
        place.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "seen"), [(OSError("no space"), BreakevenError), (KeyboardInterrupt(), KeyboardInterrupt)], ids=repr
)
def test_a_write_that_breaks_off_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, error: BaseException, seen: type[BaseException]
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def break_off() -> None:
        with written_whole(path) as place:
            place.write_text("ne")
            raise error

    with pytest.raises(seen):
        break_off()

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]

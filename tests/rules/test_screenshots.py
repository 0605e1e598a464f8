"""The pictures of README and of the help are those of the table, and none makes a page slow."""

from __future__ import annotations

from tests.environment import ROOT
from tests.screenshots.pictures import MOST, PICTURES


def test_pictures_are_those_of_the_table_and_small() -> None:
    made = {picture.file for picture in PICTURES}
    kept = {path.relative_to(ROOT) for path in (ROOT / "static/help").iterdir()}

    assert {path for path in made if path.parent.name == "help"} == kept
    assert {str(path): (ROOT / path).stat().st_size for path in made if (ROOT / path).stat().st_size > MOST} == {}

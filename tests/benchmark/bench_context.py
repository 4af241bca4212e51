"""What every case is handed."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path


class MissingPeerError(RuntimeError):
    """A program that a case compares with, or measures with, is not installed."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """How to measure.

    Parameters
    ----------
    bin : Path
        The folder of what was built.
    root : Path
        The checkout.
    short : bool
        Whether a few repetitions will do.
    """

    bin: Path
    root: Path
    short: bool

    def rounds(self, full: int) -> int:
        """Return how often to measure, of `full` times."""
        return min(full, 3) if self.short else full

    def built(self, path: str) -> Path:
        """Return what was built, by its path: "server/rtmixd"."""
        return self.bin / path

    def peer(self, program: str) -> str:
        """Return the path of an installed program."""
        found = shutil.which(program)
        if found is None:
            raise MissingPeerError(f"{program} is missing: run tools/setup")
        return found

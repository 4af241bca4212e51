"""The rigs, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rigs


@pytest.fixture(scope="session", params=["original", "near", "20ms", "50ms_lossy"])
def rig(request: pytest.FixtureRequest) -> Iterator[rigs.Rig]:
    """All rigs: what a program sees must be the same on each."""
    with rigs.open_rig(request.param) as rig:
        yield rig


@pytest.fixture(scope="session", params=["near", "20ms"])
def our_rig(request: pytest.FixtureRequest) -> Iterator[rigs.Rig]:
    """Those with rtmixd: for what is ours alone."""
    with rigs.open_rig(request.param) as rig:
        yield rig

"""What `rtmixd.rtmixer` and `rtmixd.sounddevice` have in common."""

from __future__ import annotations

from typing import Any, Optional


class Settings:
    """Where the server is and how it is used; for all streams that are made from then on.

    Attributes
    ----------
    target : str or None
        The server, ``"host"`` or ``"host:port"``. None means the environment variable
        ``RTMIXD_TARGET``, or this host.
    exclusive : bool
        Have the server alone. A stream with other settings is then closed and opened as asked for,
        and put back when the program closes its own. False by default: what runs is shared.
    patience : float
        Seconds to wait for others to let the server go; 60 by default.
    """

    target: Optional[str]
    exclusive: bool
    patience: float

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set all back to what they were at first."""
        self.target = None
        self.exclusive = False
        self.patience = 60.0

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("target", "exclusive", "patience"):
            raise AttributeError(f"'default' object has no attribute {name!r}")
        super().__setattr__(name, value)


default = Settings()

"""Counts how often a transport fell silent although it was connected.

The second time in a row it is left for the next one, and the more often it happens, the later it is tried again.
"""

from ._messages import Transport

#: A silence is in a row with another one if no more than this many times `upgrade_s` lie between them.
_ROW_UPGRADES = 10
#: The greatest power of two by which the next attempt is put off; less than a row.
_DOUBLINGS_MAX = 3


class Silences:
    def __init__(self, upgrade_s: float) -> None:
        self._upgrade_s = upgrade_s
        # By transport: the time of the last silence, and how many were in a row.
        self._rows: dict[Transport, tuple[float, int]] = {}

    def note(self, transport: Transport, now_s: float) -> bool:
        """Notes a silence. Returns whether the transport is to be left."""
        at_s, count = self._rows.get(transport, (now_s, 0))
        count = count + 1 if now_s - at_s <= _ROW_UPGRADES * self._upgrade_s else 1
        self._rows[transport] = (now_s, count)
        return count > 1

    def upgrade_delay(self, random: float) -> float:
        """Returns after how many seconds a better transport is tried again; ``random`` is from 0 up to 1."""
        most = max((count - 2 for _, count in self._rows.values()), default=0)
        return self._upgrade_s * float(1 << min(max(most, 0), _DOUBLINGS_MAX)) * (0.75 + random / 2)

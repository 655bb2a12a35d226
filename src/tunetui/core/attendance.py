"""When agents were at work, as their own records tell: what a run costs is counted from this."""

from __future__ import annotations

import msgspec

from tunetui.core.costs import Shift
from tunetui.core.draft import Draft
from tunetui.core.events import HostsPriced, Record
from tunetui.core.routes import LOCAL


def hosts_priced(draft: Draft, _record: Record, event: HostsPriced) -> None:
    """Prices from here on; an hour before this keeps the price that it had."""
    draft.value("prices").update(event.prices)


def came(draft: Draft, record: Record) -> None:
    """An agent's first record."""
    placed = draft.changes.get("placed", draft.run.placed).get(record.source)
    host = placed.host if placed is not None else LOCAL
    price = draft.changes.get("prices", draft.run.prices).get(host)
    draft.value("shifts")[record.source] = Shift(host=host, first=record.t, last=record.t, price=price)


def is_there(draft: Draft, record: Record) -> None:
    """A later record of an agent's."""
    shifts = draft.value("shifts")
    shift = shifts.get(record.source)
    if shift is not None and record.t > shift.last:
        shifts[record.source] = msgspec.structs.replace(shift, last=record.t)

"""A scrolling view drawn line by line that repaints only what looks different, and grows without a new layout."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from time import monotonic

from textual.cache import LRUCache
from textual.filter import LineFilter
from textual.geometry import Offset, Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from tunetui.tui.widgets.kept_lines import KeptBar, KeptLines
from tunetui.tui.widgets.whole_line import needed

_THUMB_INTERVAL_S = 0.5
_CACHED_LINES = 256
_UNKNOWN = object()
"""The key of a line of which nobody knows any more what it was drawn from."""


class LineView(KeptLines, ScrollView, can_focus=True):
    """Lines that a subclass draws; `repaint_changed` sends only those whose drawing differs from what is on screen.

    Textual sends a refreshed line again as a whole, so the line is the unit.  Its own growing views set
    ``virtual_size`` for every row added, which lays the whole screen out anew; here only the scrollbar's thumb
    learns of it, at most twice a second.
    """

    DEFAULT_CSS = (
        "LineView { overflow-y: scroll; overflow-x: auto; scrollbar-size: 1 1; height: 1fr;"
        "background: $surface; color: $foreground; scrollbar-background: $surface;"
        "scrollbar-background-hover: $surface; scrollbar-background-active: $surface; }"
    )

    ALLOW_SELECT = False
    header_lines = 0
    """Lines at the top that do not scroll."""

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name, id=id, classes=classes)
        self.lines_repainted = 0
        """Lines asked to be sent again so far, for tests and benches."""
        self.top, self.across = Offset(0, 0), 0
        """How far it is scrolled, and the cells of a line, in the drawing that goes on: to ask Textual for each line costs
        more than the line."""
        self._drawn: dict[int, tuple[Hashable, Strip]] = {}
        self._strips: LRUCache[Hashable, Strip] = LRUCache(_CACHED_LINES)
        self._thumb_moved_at = 0.0
        self._thumb_waits = False
        self._scrolled_size = Size(0, 0)  # which the scrollbars were last laid out for

    # ------------------------------------------------------------------------------- what a subclass draws

    def line_key(self, y: int) -> Hashable:
        """What line ``y`` of the widget (not scrolled) depends on: the same key means the same drawing."""
        raise NotImplementedError

    def draw_line(self, y: int) -> Strip:
        """Line ``y`` as it is now, exactly as wide as the widget."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------- painting

    def get_line_filters(self) -> Sequence[LineFilter]:
        return needed(super().get_line_filters())

    def render_lines(self, crop: Region) -> list[Strip]:
        self._look()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        self._drawn[y] = self._line(y, self.across)
        return self._drawn[y][1]

    def repaint_changed(self) -> int:
        """Ask for a repaint of the lines that look different by now; returns how many."""
        height = self._look()
        width, regions = self.across, []
        for y in range(height):
            drawn_key, drawn = self._drawn.get(y, (None, None))
            key, strip = self._line(y, width)
            if key == drawn_key:
                continue
            if strip == drawn:
                self._drawn[y] = key, strip
            else:
                regions.append(Region(0, y, width, 1))
        self.lines_repainted += len(regions)
        if regions:
            self.refresh(*regions)
        return len(regions)

    def _look(self) -> int:
        """How it is scrolled and how large it is now; returns its lines."""
        self.top, size = self.scroll_offset, self.view_size
        self.across = size.width
        return size.height

    def forget_drawing(self) -> None:
        """Draw every line anew, and send those that look different: more changed than the keys tell."""
        self._strips.clear()
        self._drawn = {y: (_UNKNOWN, drawn) for y, (_, drawn) in self._drawn.items()}
        self.repaint_changed()

    def notify_style_update(self) -> None:
        self._strips.clear()
        self._drawn.clear()
        super().notify_style_update()

    def _line(self, y: int, width: int) -> tuple[Hashable, Strip]:
        key = (self.line_key(y), width, self.top.x)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self.draw_line(y)
        return key, strip

    # -------------------------------------------------------------------------------------------- growing

    @property
    def view_size(self) -> Size:
        """The cells that lines are drawn on: everything but the scrollbars."""
        return self.scrollable_content_region.size

    @property
    def page_lines(self) -> int:
        """Scrolling lines that fit on screen, at least 1."""
        return max(self.view_size.height - self.header_lines, 1)

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """As Textual makes it, but for the class."""
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = bar = KeptBar(
                vertical=True, name="vertical", thickness=self.scrollbar_size_vertical
            )
            bar.display = False
            self.app._start_widget(self, bar)  # noqa: SLF001
        return self._vertical_scrollbar

    def scroll_quietly(self, y: int) -> None:
        """Show the lines from ``y`` on without repainting those that look the same; `repaint_changed` sends the rest."""
        self.set_reactive(LineView.scroll_y, float(y))
        self.set_reactive(LineView.scroll_target_y, float(y))
        self.vertical_scrollbar.set_reactive(ScrollBar.position, y)

    def set_content_size(self, width: int, lines: int) -> None:
        """The size of everything, header left out: quietly where only the number of lines changed."""
        size, before = Size(width, lines + self.header_lines), self.virtual_size
        if size == before:
            return
        self.set_reactive(LineView.virtual_size, size)
        if size.width != before.width or not self.is_mounted:
            self.refresh(layout=True, repaint=False)  # what a layout needs; what looks different says so itself
            return
        if self.scroll_offset.y > self.max_scroll_y:
            self.scroll_to(y=self.max_scroll_y, animate=False)
        wait_s = self._thumb_moved_at + _THUMB_INTERVAL_S - monotonic()
        if size.height < before.height or wait_s <= 0:
            self._move_thumb()
        elif not self._thumb_waits:
            self._thumb_waits = True
            self.set_timer(wait_s, self._move_thumb)

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        """Of a view that scrolls itself the layout knows no ``virtual_size``: Textual takes that for another one each time.

        With the one of the last time it draws scrollbars anew where they differ, not at every layout.
        """
        virtual_size, self._scrolled_size = self._scrolled_size, self.virtual_size
        return super()._size_updated(size, virtual_size, container_size, layout)

    def _move_thumb(self) -> None:
        """Bring the scrollbar up to the lines that there are now."""
        self._thumb_moved_at, self._thumb_waits = monotonic(), False
        self.vertical_scrollbar.window_virtual_size = self.virtual_size.height

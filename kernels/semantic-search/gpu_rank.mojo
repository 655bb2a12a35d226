"""The best of many values with their places, by one warp or by the threads of a block together."""

from std.bit import count_trailing_zeros, pop_count
from max.gpu.primitives import warp
from max.gpu.sync import syncwarp
from gpu_access import (
    Floats, Four, NOTHING, add_shared, as_bits, as_float, ballot, least_of_lanes, load_pair, load_shared, store_shared,
)


def shelf_bytes(kept: Int) -> Int:
    """Shared memory of one warp while it ranks: 32 scores with ids, a count, the chosen groups; whole pairs."""
    return (66 + kept) // 2 * 8


def answered_together(block_size: Int, shared_bytes: Int, queries: Int, kept: Int) -> Bool:
    """Whether each query is answered by a whole block: few are."""
    return queries < 32 and (block_size + 2 + 128 + kept + 1) * 4 <= shared_bytes


@always_inline
def ordered(bits: Int32) -> Int32:
    """An integer in the order of the floats; its own inverse."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@always_inline
def kept_of_lanes[kept: Int](v: Float32) -> Float32:
    """The kept-th largest of the 32 lanes' values: the least of those with fewer than `kept` above them."""
    var above: Int32 = 0
    for j in range(4):
        comptime for i in range(8):
            if warp.shuffle_xor(v, UInt32(j * 8 + i)) > v:
                above += 1
    var key = ordered(Int32(as_bits(v))) if above < Int32(kept) else Int32(0x7F800000)
    return as_float(UInt32(ordered(least_of_lanes(key))))


@always_inline
def four_of(values: Floats, id: Int32, limit: Int32) -> Four:
    var v = Four(NOTHING)
    if id >= 0 and id < limit:
        v = values.unsafe_load[width=4, alignment=16](Int(id))
        comptime for c in range(1, 4):
            if id + Int32(c) >= limit:
                v[c] = NOTHING
    return v


@fieldwise_init
struct Values[by_rows: Bool, span: Int, kept: Int](ImplicitlyCopyable):
    """What is ranked, in units of four: the best of each group, or the rows of the groups chosen before.

    A group is `spans` spans of `span` rows, `stride` rows apart; `chosen` is the shared address of the groups.
    """

    var start: Floats
    var limit: Int32
    var chosen: UInt32
    var spans: Int32
    var stride: Int32

    @always_inline
    def units(self) -> Int32:
        comptime if Self.by_rows:
            return self.spans * Int32(Self.kept * (Self.span // 4))
        else:
            return (self.limit + 3) >> 2

    @always_inline
    def first_id(self, unit: Int32) -> Int32:
        comptime if Self.by_rows:
            var piece = UInt32(unit) // UInt32(Self.span // 4)
            var inside = Int32(UInt32(unit) % UInt32(Self.span // 4)) * 4
            var group = Int32(load_shared(self.chosen + (piece % UInt32(Self.kept)) * 4))
            var at = Int32(piece // UInt32(Self.kept))
            if group < 0 or at >= self.spans:
                return -1
            return group * Int32(Self.span) + at * self.stride + inside
        else:
            return unit * 4

    @always_inline
    def load(self, id: Int32) -> Four:
        return four_of(self.start, id, self.limit)

    @always_inline
    def unit(self, unit: Int32, units: Int32) -> Four:
        return self.load(self.first_id(unit) if unit < units else Int32(-1))


@always_inline
def rank_slowly[kept: Int, v: Bool, s: Int, w: Int](values: Values[v, s, w], lane: Int32) -> Tuple[Float32, Int32, Int32]:
    """Every value one after the other: always right, and taken only when many values tie."""
    var mine = NOTHING
    var mine_id: Int32 = -1
    var bar = NOTHING
    var units = values.units()
    var first: Int32 = 0
    while first < units:
        var id = values.first_id(first + lane)
        var four = values.load(id)
        for c in range(4):
            var one = four[0]
            if c == 1:
                one = four[1]
            elif c == 2:
                one = four[2]
            elif c == 3:
                one = four[3]
            var waiting = ballot(one > bar)
            while waiting != 0:
                var source = UInt32(count_trailing_zeros(waiting))
                var score = warp.shuffle_idx(one, source)
                var row = warp.shuffle_idx(id, source) + Int32(c)
                var place = Int32(pop_count(ballot(mine >= score)))
                var above = warp.shuffle_up(mine, UInt32(1))
                var above_id = warp.shuffle_up(mine_id, UInt32(1))
                if lane > place:
                    mine = above
                    mine_id = above_id
                if lane == place:
                    mine = score
                    mine_id = row
                bar = warp.shuffle_idx(mine, UInt32(kept - 1))
                waiting = waiting & (waiting - 1)
                waiting = waiting & ballot(one > bar)
        first += 32
    return (mine, mine_id, lane)


@always_inline
def largest[at_once: Int, v: Bool, s: Int, w: Int](values: Values[v, s, w], start: Int32, stride: Int32) -> Float32:
    """The largest of the units `start`, `start` + `stride` and so on."""
    var units = values.units()
    var mine = NOTHING
    var first = start
    while first < units:
        comptime for u in range(at_once):
            mine = max(mine, values.unit(first + Int32(u) * stride, units).reduce_max())
        first += stride * Int32(at_once)
    return mine


@always_inline
def collect[at_once: Int, v: Bool, s: Int, w: Int](
    values: Values[v, s, w], bound: Float32, start: Int32, stride: Int32, entries: UInt32, found: UInt32
):
    """Every value that reaches `bound`, of the units `start`, `start` + `stride` and so on, goes to the entries.

    They are a dozen of hundreds, so that everything but the loads is rare; loads are `at_once`: they take as long as one.
    """
    var units = values.units()
    var first = start
    while first < units:
        var some: UInt32 = 0
        comptime for u in range(at_once):
            if values.unit(first + Int32(u) * stride, units).reduce_max() >= bound:
                some = some | UInt32(1 << u)
        while some != 0:
            var unit = first + Int32(count_trailing_zeros(some)) * stride
            var id = values.first_id(unit if unit < units else first)
            var four = values.load(id if unit < units else Int32(-1))
            comptime for c in range(4):
                if four[c] >= bound and four[c] > NOTHING:
                    var place = add_shared(found, 1)
                    if place < 32:
                        store_shared(entries + place * 8, as_bits(four[c]))
                        store_shared(entries + place * 8 + 4, UInt32(id + Int32(c)))
            some = some & (some - 1)
        first += stride * Int32(at_once)


@always_inline
def place_reached(entries: UInt32, count: Int32, lane: Int32) -> Tuple[Float32, Int32, Int32]:
    """Score, id and place of at most 32 values that reached the bound, one in each lane; 0 is the best."""
    var score = NOTHING
    var row: Int32 = -1
    var place = lane
    if lane < count:
        var own = load_pair(entries + UInt32(lane) * 8)
        score = as_float(own[0])
        row = Int32(own[1])
        place = 0
        var i: UInt32 = 0
        while i < UInt32(count):
            var entry = load_pair(entries + i * 8)
            var other = as_float(entry[0])
            if other > score or (other == score and Int32(entry[1]) < row):
                place += 1
            i += 1
    return (score, row, place)


@always_inline
def rank[kept: Int, known: Bool, v: Bool, s: Int, w: Int](
    values: Values[v, s, w], least: Float32, shelf: UInt32, lane: Int32
) -> Tuple[Float32, Int32, Int32]:
    """The `kept` best, one in each lane, with its place in the order; 0 is the best.

    `least` is a lower bound of the kept-th best where one is `known`; the kept-th best of the 32 lanes' own maxima is
    another.  About a dozen values reach it, and up to 32 of them are ranked at once.
    """
    var found = shelf + 256
    var bound = least
    comptime if not known:
        bound = kept_of_lanes[kept](largest[8](values, lane, 32))
    for _ in range(4):
        if lane == 0:
            store_shared(found, 0)
        syncwarp()
        collect[8](values, bound, lane, 32, shelf, found)
        syncwarp()
        var count = Int32(load_shared(found))
        if count <= 32:
            var ranked = place_reached(shelf, count, lane)
            syncwarp()
            return ranked
        # Too many, now and then: the kept-th of the 32 that were kept is a higher bound, unless they tie.
        bound = kept_of_lanes[kept](as_float(load_shared(shelf + UInt32(lane) * 8)))
        syncwarp()
    return rank_slowly[kept](values, lane)

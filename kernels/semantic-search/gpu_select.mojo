"""The top k of all scores: first the groups whose best row is among the k best, then the rows in those groups.

No row of the answer can lie elsewhere, so the work does not depend on the order of the corpus.
"""

from std.bit import count_trailing_zeros, pop_count
from max.gpu import thread_idx
from max.gpu.primitives import warp
from max.gpu.sync import syncwarp
from gpu_access import (
    Bytes, Floats, Four, Indices, NOTHING, as_bits, as_float, ballot, count_shared, load_shared, parts, store_shared, warp_sum,
)

def shelf_bytes(kept: Int) -> Int:
    """Shared memory of one warp while it ranks: 32 scores, 32 ids, a count, the chosen groups."""
    return (65 + kept) * 4


@always_inline
def kept_of_lanes[kept: Int](v: Float32, lane: Int32) -> Float32:
    """The kept-th largest of the 32 lanes' values."""
    var rank: Int32 = 0
    for j in range(4):
        comptime for i in range(8):
            var step = Int32(j * 8 + i)
            var other = warp.shuffle_xor(v, UInt32(step))
            if other > v or (other == v and (lane ^ step) < lane):
                rank += 1
    var holder = ballot(rank == Int32(kept - 1))
    return warp.shuffle_idx(v, UInt32(count_trailing_zeros(holder)) if holder != 0 else UInt32(0))


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
def rank_slowly[kept: Int, v: Bool, s: Int, w: Int](values: Values[v, s, w], lane: Int32) -> Tuple[Float32, Int32]:
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
    return (mine, mine_id)


@always_inline
def rank[kept: Int, v: Bool, s: Int, w: Int](values: Values[v, s, w], shelf: UInt32, lane: Int32) -> Tuple[Float32, Int32]:
    """The `kept` best in order, one in each lane.

    The kept-th best of the 32 lanes' own maxima is a lower bound of the kept-th best of all; about a dozen values
    reach it, and up to 32 of them are ranked at once.
    """
    var found = shelf + 256
    if lane == 0:
        store_shared(found, 0)
    var units = values.units()
    var mine = NOTHING
    var first = lane
    while first < units:
        var some = Array[Four, 8](fill=Four(NOTHING))
        comptime for u in range(8):
            some[u] = values.load(values.first_id(first + Int32(u * 32)))
        comptime for u in range(8):
            mine = max(mine, some[u].reduce_max())
        first += 256
    var bound = kept_of_lanes[kept](mine, lane)
    if mine >= bound and mine > NOTHING:
        var unit = lane
        while unit < units:
            var id = values.first_id(unit)
            var four = values.load(id)
            comptime for c in range(4):
                if four[c] >= bound and four[c] > NOTHING:
                    var place = count_shared(found)
                    if place < 32:
                        store_shared(shelf + place * 4, as_bits(four[c]))
                        store_shared(shelf + 128 + place * 4, UInt32(id + Int32(c)))
            unit += 32
    syncwarp()
    var count = Int32(load_shared(found))
    if count > 32:
        return rank_slowly[kept](values, lane)
    var own = UInt32(lane) * 4
    var score = as_float(load_shared(shelf + own)) if lane < count else NOTHING
    var row = Int32(load_shared(shelf + 128 + own)) if lane < count else Int32(-1)
    var place = Int32(0) if lane < count else lane
    if lane < count:
        var i: UInt32 = 0
        while i < UInt32(count):
            var other = as_float(load_shared(shelf + i * 4))
            if other > score or (other == score and Int32(load_shared(shelf + 128 + i * 4)) < row):
                place += 1
            i += 1
    syncwarp()
    store_shared(shelf + UInt32(place) * 4, as_bits(score))
    store_shared(shelf + 128 + UInt32(place) * 4, UInt32(row))
    syncwarp()
    score = as_float(load_shared(shelf + own))
    row = Int32(load_shared(shelf + 128 + own))
    syncwarp()
    return (score, row)


@always_inline
def rescored[kept: Int, dims: Int](corpus: Bytes, query_row: Bytes, own: Float32, row: Int32, lane: Int32) -> Float32:
    """This lane's exact float32 inner product; tensor cores only found the candidates."""
    comptime PARTS = parts(dims, 128)
    var mine = Array[Four, PARTS](fill=Four(0))
    var wanted = query_row.unsafe_bitcast[Float32]()
    comptime for c in range(PARTS):
        if c * 128 + Int(lane) * 4 < dims:
            mine[c] = wanted.unsafe_load[width=4, alignment=16](c * 128 + Int(lane) * 4)
    var score = own
    for i in range(kept):
        var candidate = warp.shuffle_idx(row, UInt32(i))
        var sum = Four(0)
        if candidate >= 0:
            var other = corpus.unsafe_bitcast[Float32]().unsafe_offset(Int(candidate) * dims)
            comptime for c in range(PARTS):
                if c * 128 + Int(lane) * 4 < dims:
                    sum = other.unsafe_load[width=4, alignment=16](c * 128 + Int(lane) * 4).fma(mine[c], sum)
        var all = warp_sum(sum.reduce_add())
        if Int(lane) == i:
            score = all if candidate >= 0 else NOTHING
    return score


@always_inline
def answer[span: Int, kept: Int, k: Int, dims: Int, row_bytes: Int, rescore: Bool](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    query: Int32, corpus_size: Int32, row_stride: Int32, groups: Int32, groups_stride: Int32,
    spans: Int32, span_stride: Int32, shelf: UInt32,
):
    """One query's answer, by one warp."""
    var lane = Int32(thread_idx.x) & 31
    var chosen = shelf + 260
    var bests = Values[False, span, kept](group_best.unsafe_offset(Int(query) * Int(groups_stride)), groups, chosen, 0, 0)
    var best = rank[kept](bests, shelf, lane)
    if lane < Int32(kept):
        store_shared(chosen + UInt32(lane) * 4, UInt32(best[1]))
    syncwarp()
    var rows = Values[True, span, kept](
        partial_scores.unsafe_offset(Int(query) * Int(row_stride)), corpus_size, chosen, spans, span_stride
    )
    var ranked = rank[kept](rows, shelf, lane)
    var score = ranked[0]
    var place = lane
    comptime if rescore:
        score = rescored[kept, dims](corpus, query_rows.unsafe_offset(Int(query) * row_bytes), score, ranked[1], lane)
        place = 0
        for i in range(32):
            var other = warp.shuffle_idx(score, UInt32(i))
            if other > score or (other == score and Int32(i) < lane):
                place += 1
    if place < Int32(k) and lane < Int32(kept):
        scores[unsafe_offset=Int(query) * k + Int(place)] = score
        indices[unsafe_offset=Int(query) * k + Int(place)] = ranked[1]

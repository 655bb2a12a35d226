"""The top k of all scores: first the groups whose best row is among the k best, then the rows in those groups.

No row of the answer can lie elsewhere, so the work does not depend on the order of the corpus.
"""

from std.bit import count_trailing_zeros, pop_count
from max.gpu import block_idx, grid_dim, thread_idx
from max.gpu.primitives import warp
from max.gpu.sync import barrier, syncwarp
from gpu_access import (
    Bytes, Counts, Floats, Four, Indices, NOTHING, add_shared, as_bits, as_float, ballot, finish_block, load_pair, load_shared,
    parts, prefetch, shared_base, store_shared, wait_for_blocks, warp_sum,
)


def shelf_bytes(kept: Int) -> Int:
    """Shared memory of one warp while it ranks: 32 scores with ids, a count, the chosen groups; whole pairs."""
    return (66 + kept) // 2 * 8


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
def rank[kept: Int, v: Bool, s: Int, w: Int](
    values: Values[v, s, w], shelf: UInt32, lane: Int32
) -> Tuple[Float32, Int32, Int32]:
    """The `kept` best, one in each lane, with its place in the order; 0 is the best.

    The kept-th best of the 32 lanes' own maxima is a lower bound of the kept-th best of all; about a dozen values
    reach it, and up to 32 of them are ranked at once.
    """
    var found = shelf + 256
    if lane == 0:
        store_shared(found, 0)
    var units = values.units()
    var mine = NOTHING
    var some = Array[Four, 8](fill=Four(NOTHING))
    var first = lane
    while first < units + lane:
        comptime for u in range(8):
            some[u] = values.unit(first + Int32(u * 32), units)
        comptime for u in range(8):
            mine = max(mine, some[u].reduce_max())
        first += 256
    var bound = kept_of_lanes[kept](mine, lane)
    if mine >= bound and mine > NOTHING:                 # a lane whose best is too small has nothing to add
        first = lane
        while first < units:
            if units > 256:
                comptime for u in range(8):
                    some[u] = values.unit(first + Int32(u * 32), units)
            var reached: UInt32 = 0
            comptime for u in range(8):
                comptime for c in range(4):
                    if some[u][c] >= bound and some[u][c] > NOTHING:
                        reached = reached | UInt32(1 << (u * 4 + c))
            if reached != 0:
                var place = add_shared(found, UInt32(pop_count(reached)))
                while reached != 0:
                    var bit = Int32(count_trailing_zeros(reached))
                    var id = values.first_id(first + (bit >> 2) * 32) + (bit & 3)
                    if place < 32:
                        store_shared(shelf + place * 8, as_bits(values.start[unsafe_offset=Int(id)]))
                        store_shared(shelf + place * 8 + 4, UInt32(id))
                    place += 1
                    reached = reached & (reached - 1)
            first += 256
    syncwarp()
    var count = Int32(load_shared(found))
    if count > 32:
        return rank_slowly[kept](values, lane)
    var score = NOTHING
    var row: Int32 = -1
    var place = lane
    if lane < count:
        var own = load_pair(shelf + UInt32(lane) * 8)
        score = as_float(own[0])
        row = Int32(own[1])
        place = 0
        var i: UInt32 = 0
        while i < UInt32(count):
            var entry = load_pair(shelf + i * 8)
            var other = as_float(entry[0])
            if other > score or (other == score and Int32(entry[1]) < row):
                place += 1
            i += 1
    syncwarp()
    return (score, row, place)


@always_inline
def rescored[kept: Int, dims: Int](corpus: Bytes, query_row: Bytes, row: Int32, lane: Int32) -> Float32:
    """This lane's exact float32 inner product; tensor cores only found the candidates.  `row` is -1 for none."""
    comptime PARTS = parts(dims, 128)
    if row >= 0:
        for line in range(parts(dims * 4, 128)):
            prefetch(corpus.unsafe_offset(Int(row) * dims * 4 + line * 128))
    var mine = Array[Four, PARTS](fill=Four(0))
    var wanted = query_row.unsafe_bitcast[Float32]()
    comptime for c in range(PARTS):
        if c * 128 + Int(lane) * 4 < dims:
            mine[c] = wanted.unsafe_load[width=4, alignment=16](c * 128 + Int(lane) * 4)
    var score = NOTHING
    var candidates = ballot(row >= 0)
    while candidates != 0:
        comptime AT_ONCE = 2
        var source = Array[Int32, AT_ONCE](fill=-1)
        var sum = Array[Four, AT_ONCE](fill=Four(0))
        comptime for u in range(AT_ONCE):
            if candidates != 0:
                source[u] = Int32(count_trailing_zeros(candidates))
            candidates = candidates & (candidates - 1)
            var candidate = warp.shuffle_idx(row, UInt32(source[u] if source[u] >= 0 else source[0]))
            var other = corpus.unsafe_bitcast[Float32]().unsafe_offset(Int(candidate) * dims)
            comptime for c in range(PARTS):
                if c * 128 + Int(lane) * 4 < dims:
                    sum[u] = other.unsafe_load[width=4, alignment=16](c * 128 + Int(lane) * 4).fma(mine[c], sum[u])
        comptime for u in range(AT_ONCE):
            var all = warp_sum(sum[u].reduce_add())
            if lane == source[u]:
                score = all
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
    if best[2] < Int32(kept):
        store_shared(chosen + UInt32(best[2]) * 4, UInt32(best[1]))
    syncwarp()
    var rows = Values[True, span, kept](
        partial_scores.unsafe_offset(Int(query) * Int(row_stride)), corpus_size, chosen, spans, span_stride
    )
    var ranked = rank[kept](rows, shelf, lane)
    var score = ranked[0]
    var row = ranked[1]
    var place = ranked[2]
    comptime if rescore:
        if place >= Int32(kept):
            row = -1
        score = rescored[kept, dims](corpus, query_rows.unsafe_offset(Int(query) * row_bytes), row, lane)
        place = 0
        for i in range(32):
            var other = warp.shuffle_idx(score, UInt32(i))
            if other > score or (other == score and Int32(i) < lane):
                place += 1
    if place < Int32(k):
        scores[unsafe_offset=Int(query) * k + Int(place)] = score
        indices[unsafe_offset=Int(query) * k + Int(place)] = row


@always_inline
def answer_ready[block_size: Int, queries: Int, span: Int, kept: Int, k: Int, dims: Int, row_bytes: Int, rescore: Bool](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    ticket: Counts, corpus_size: Int32, row_stride: Int32, groups: Int32, groups_stride: Int32,
    spans: Int32, span_stride: Int32, workers: Int32,
):
    """The last blocks answer, and do nothing else.

    They answer once before anything is known, over whatever the scratch holds, so that their instructions wait in the
    cache when the scores are there; the real answer overwrites that one.  Blocks start in order, so that all they wait
    for run already.  `ticket` is left as it was found: zero.
    """
    comptime WARPS = block_size // 32
    var shared = shared_base()
    var own = Int32(thread_idx.x) >> 5
    var blocks = Int32(grid_dim.x) - workers
    for turn in range(2):
        if turn == 1:
            wait_for_blocks(ticket, UInt32(workers))
        var query = (Int32(block_idx.x) - workers) * Int32(WARPS) + own
        while query < Int32(queries):
            answer[span, kept, k, dims, row_bytes, rescore](
                corpus, query_rows, scores, indices, partial_scores, group_best, query, corpus_size, row_stride, groups,
                groups_stride, spans, span_stride, shared + UInt32(own) * UInt32(shelf_bytes(kept)),
            )
            query += blocks * Int32(WARPS)
            if turn == 0:
                break
    barrier()
    if thread_idx.x == 0:
        if blocks == 1:
            ticket[unsafe_offset=0] = 0
        elif Int32(finish_block(ticket.unsafe_offset(1))) == blocks - 1:
            ticket[unsafe_offset=1] = 0
            ticket[unsafe_offset=0] = 0

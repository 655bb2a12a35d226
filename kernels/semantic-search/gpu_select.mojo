"""The top k of all scores: first the groups whose best row is among the k best, then the rows in those groups.

No row of the answer can lie elsewhere, so the work does not depend on the order of the corpus.
"""

from std.bit import count_trailing_zeros
from max.gpu import block_idx, grid_dim, thread_idx
from max.gpu.primitives import warp
from max.gpu.sync import barrier, syncwarp
from gpu_access import (
    Bytes, Counts, Floats, Four, Indices, NOTHING, as_bits, as_float, ballot, finish_block, load_shared, parts, prefetch,
    shared_base, store_shared, wait_for_blocks, warp_sum,
)
from gpu_rank import Values, answered_together, collect, kept_of_lanes, largest, place_reached, rank, shelf_bytes


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
def finish[kept: Int, k: Int, dims: Int, row_bytes: Int, rescore: Bool](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, query: Int32, ranked: Tuple[Float32, Int32, Int32],
    lane: Int32,
):
    """Writes one query's answer, one row from each lane; exact scores decide where tensor cores found the candidates."""
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
def answer[span: Int, kept: Int, k: Int, dims: Int, row_bytes: Int, rescore: Bool](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    query: Int32, corpus_size: Int32, row_stride: Int32, groups: Int32, groups_stride: Int32,
    spans: Int32, span_stride: Int32, shelf: UInt32,
):
    """One query's answer, by one warp."""
    var lane = Int32(thread_idx.x) & 31
    var chosen = shelf + 260
    var bests = Values[False, span, kept](group_best.unsafe_offset(Int(query) * Int(groups_stride)), groups, chosen, 0, 0)
    var best = rank[kept, False](bests, NOTHING, shelf, lane)
    # Each of the chosen groups has a row as good as its best: the last of these is a bound for the rows.
    var last = ballot(best[2] == Int32(kept - 1))
    var bound = warp.shuffle_idx(best[0], UInt32(count_trailing_zeros(last)) if last != 0 else UInt32(0))
    if best[2] < Int32(kept):
        store_shared(chosen + UInt32(best[2]) * 4, UInt32(best[1]))
    syncwarp()
    var rows = Values[True, span, kept](
        partial_scores.unsafe_offset(Int(query) * Int(row_stride)), corpus_size, chosen, spans, span_stride
    )
    var ranked = rank[kept, True](rows, bound, shelf, lane)
    finish[kept, k, dims, row_bytes, rescore](corpus, query_rows, scores, indices, query, ranked, lane)


@always_inline
def answer_together[block_size: Int, span: Int, kept: Int, k: Int, dims: Int, row_bytes: Int, rescore: Bool](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    query: Int32, corpus_size: Int32, row_stride: Int32, groups: Int32, groups_stride: Int32, spans: Int32, span_stride: Int32,
) -> Bool:
    """The answer to one query, by a whole block; False where too many values tie, and `answer` must do it."""
    comptime AT_ONCE = max(1, 256 // block_size)
    comptime WARPS = block_size // 32
    var shared = shared_base()
    var own = Int32(thread_idx.x)
    var lane = own & 31
    var counts = shared + UInt32(block_size * 4)         # two, after the largest of every thread
    var entries = counts + 8
    var chosen = entries + 512
    var bar = chosen + UInt32(kept * 4)
    if own < 2:
        store_shared(counts + UInt32(own) * 4, 0)
    var bests = Values[False, span, kept](group_best.unsafe_offset(Int(query) * Int(groups_stride)), groups, chosen, 0, 0)
    store_shared(shared + UInt32(own) * 4, as_bits(largest[AT_ONCE](bests, own, Int32(block_size))))
    barrier()
    var top = as_float(load_shared(shared + UInt32(lane) * 4))
    comptime for w in range(1, WARPS):
        top = max(top, as_float(load_shared(shared + UInt32(lane) * 4 + UInt32(w * 128))))
    collect[AT_ONCE](bests, kept_of_lanes[kept](top), own, Int32(block_size), entries, counts)
    barrier()
    var count = Int32(load_shared(counts))
    if count > 32:
        return False
    if own < 32:
        var best = place_reached(entries, count, lane)
        if best[2] < Int32(kept):
            store_shared(chosen + UInt32(best[2]) * 4, UInt32(best[1]))
        if best[2] == Int32(kept - 1):
            store_shared(bar, as_bits(best[0]))
    barrier()
    var rows = Values[True, span, kept](
        partial_scores.unsafe_offset(Int(query) * Int(row_stride)), corpus_size, chosen, spans, span_stride
    )
    collect[AT_ONCE](rows, as_float(load_shared(bar)), own, Int32(block_size), entries + 256, counts + 4)
    barrier()
    count = Int32(load_shared(counts + 4))
    if count > 32:
        return False
    if own < 32:
        finish[kept, k, dims, row_bytes, rescore](
            corpus, query_rows, scores, indices, query, place_reached(entries + 256, count, lane), lane
        )
    return True


@always_inline
def answer_ready[block_size: Int, shared_bytes: Int, queries: Int, span: Int, kept: Int, k: Int, dims: Int, row_bytes: Int, rescore: Bool](
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
    comptime TOGETHER = answered_together(block_size, shared_bytes, queries, kept)
    var first = Int32(block_idx.x) - workers
    for turn in range(2):
        if turn == 1:
            wait_for_blocks(ticket, UInt32(workers))
        var query = first + own * Int32(queries) if TOGETHER else first * Int32(WARPS) + own
        comptime if TOGETHER:
            barrier()
            var done = answer_together[block_size, span, kept, k, dims, row_bytes, rescore](
                corpus, query_rows, scores, indices, partial_scores, group_best, first, corpus_size, row_stride, groups,
                groups_stride, spans, span_stride,
            )
            if done or turn == 0:
                continue
            barrier()
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


@always_inline
def merge[block_size: Int, queries: Int, span: Int, kept: Int, k: Int, dims: Int, row_bytes: Int, rescore: Bool](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    ticket: Counts, corpus_size: Int32, mergers: Int32, row_stride: Int32, groups: Int32, groups_stride: Int32,
):
    """The last `mergers` blocks to finish share the queries; see merge() in select.cuh for why none waits in vain."""
    comptime WARPS = block_size // 32
    var shared = shared_base()
    var own = Int32(thread_idx.x) >> 5
    var blocks = Int32(grid_dim.x)
    var team = min(min(mergers, Int32(queries)), blocks)
    if thread_idx.x == 0:
        var turn = Int32(finish_block(ticket)) + team - blocks
        if turn >= 0:
            if turn < team - 1:
                wait_for_blocks(ticket, UInt32(blocks))
            if team == 1 or Int32(finish_block(ticket.unsafe_offset(1))) == team - 1:
                ticket[unsafe_offset=1] = 0
                ticket[unsafe_offset=0] = 0
        store_shared(shared, UInt32(turn))
    barrier()
    var turn = Int32(load_shared(shared))
    barrier()
    if turn < 0:
        return
    var query = turn + own * team
    while query < Int32(queries):
        answer[span, kept, k, dims, row_bytes, rescore](
            corpus, query_rows, scores, indices, partial_scores, group_best, query, corpus_size, row_stride, groups,
            groups_stride, 1, 0, shared + UInt32(own) * UInt32(shelf_bytes(kept)),
        )
        query += Int32(WARPS) * team

"""Several queries: blocks of corpus rows x queries through a pipeline in shared memory, as in a matrix product.

float32 with FMA for a few queries; tensor cores for tf32, float16, and float32 with many queries, where every number is
the sum of two that tf32 holds and three products stand for one.
"""

from std.sys import inlined_assembly, _RegisterPackType
from std.memory import bitcast
from max.gpu import block_idx, grid_dim, thread_idx
from max.gpu.memory import async_copy_wait_group
from max.gpu.primitives import warp
from max.gpu.sync import barrier
from gpu_access import (
    Bytes, Counts, Floats, Four, Indices, NOTHING, Words, finish_block_silently, load_matrices, load_words, parts, parts32,
    shared_base,
)
from gpu_rank import shelf_bytes
from gpu_select import answer_ready, merge
from gpu_shape import Pipeline, Shape, permuted


@always_inline
def multiply[half: Bool](mut sum: Four, a: Words, b0: UInt32, b1: UInt32):
    """16 queries x 8 rows: sum += a b, of 32 bytes of each."""
    comptime CONSTRAINTS = "=f,=f,=f,=f,r,r,r,r,r,r,0,1,2,3"
    comptime Pack = _RegisterPackType[Float32, Float32, Float32, Float32]
    comptime if half:
        var r = inlined_assembly[
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {$0,$1,$2,$3}, {$4,$5,$6,$7}, {$8,$9}, {$0,$1,$2,$3};",
            Pack,
            constraints=CONSTRAINTS,
            has_side_effect=False,
        ](a[0], a[1], a[2], a[3], b0, b1, sum[0], sum[1], sum[2], sum[3])
        sum = Four(r[0], r[1], r[2], r[3])
    else:
        var r = inlined_assembly[
            "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {$0,$1,$2,$3}, {$4,$5,$6,$7}, {$8,$9}, {$0,$1,$2,$3};",
            Pack,
            constraints=CONSTRAINTS,
            has_side_effect=False,
        ](a[0], a[1], a[2], a[3], b0, b1, sum[0], sum[1], sum[2], sum[3])
        sum = Four(r[0], r[1], r[2], r[3])


@always_inline
def rest(whole: Words) -> Words:
    """What tf32 leaves of a float32, as a second number: the cores ignore the last 13 bits of their inputs."""
    return bitcast[DType.uint32, 4](
        bitcast[DType.float32, 4](whole) - bitcast[DType.float32, 4](whole & Words(0xFFFFE000))
    )


@always_inline
def add_tensor[q_each: Int, r_each: Int, tile_size: Int, group_rows: Int, piece: Int, half: Bool, split: Bool](
    mut sums: Array[Four, q_each * r_each], stage: UInt32, warp_q: Int32, warp_r: Int32, lane: Int32
):
    """Queries are the 16 rows of a step, corpus rows its 8 columns."""
    comptime PAIRS = parts(r_each, 2)
    var q_row = warp_q * Int32(q_each * 16) + (lane & 15)
    var r_row = warp_r * Int32(group_rows) + (lane & 7)
    var queries = stage + UInt32(tile_size * piece)
    comptime for j in range(piece // 32):
        var rows = Array[Words, PAIRS](fill=Words(0))
        var rows_rest = Array[Words, PAIRS](fill=Words(0))
        comptime for p in range(PAIRS):
            var row = r_row + Int32(p * 16)
            comptime if p * 2 + 1 < r_each:              # the last of an odd number reads its own rows twice
                row += (lane >> 4) * 8
            rows[p] = load_matrices(stage + permuted[piece](row, Int32(j * 2) + ((lane >> 3) & 1)))
            comptime if split:
                rows_rest[p] = rest(rows[p])
        comptime for q in range(q_each):
            var wanted = load_matrices(queries + permuted[piece](q_row + Int32(q * 16), Int32(j * 2) + (lane >> 4)))
            comptime for r in range(r_each):
                comptime at = q * r_each + r
                comptime b = r % 2 * 2
                comptime if split:
                    multiply[half](sums[at], rest(wanted), rows[r // 2][b], rows[r // 2][b + 1])
                    multiply[half](sums[at], wanted, rows_rest[r // 2][b], rows_rest[r // 2][b + 1])
                multiply[half](sums[at], wanted, rows[r // 2][b], rows[r // 2][b + 1])


@always_inline
def store_tensor[q_each: Int, r_each: Int, queries: Int](
    sums: Array[Four, q_each * r_each], partial_scores: Floats, group_best: Floats, first_row: Int32, first_query: Int32,
    group: Int32, corpus_size: Int32, row_stride: Int32, groups_stride: Int32, lane: Int32,
):
    var row = first_row + (lane & 3) * 2
    comptime for q in range(q_each):
        comptime for half in range(2):
            var query = first_query + Int32(q * 16 + half * 8) + (lane >> 2)
            var best = NOTHING
            var target = partial_scores.unsafe_offset(Int(query) * Int(row_stride) + Int(row))
            comptime for r in range(r_each):
                var pair = SIMD[DType.float32, 2](sums[q * r_each + r][half * 2], sums[q * r_each + r][half * 2 + 1])
                if row + Int32(r * 8) < corpus_size:
                    best = max(best, pair[0])
                if row + Int32(r * 8 + 1) < corpus_size:
                    best = max(best, pair[1])
                if query < Int32(queries):
                    target.unsafe_store[alignment=8](r * 8, pair)
            best = max(best, warp.shuffle_xor(best, UInt32(1)))
            best = max(best, warp.shuffle_xor(best, UInt32(2)))
            if (lane & 3) == 0 and query < Int32(queries):
                group_best[unsafe_offset=Int(query) * Int(groups_stride) + Int(group)] = best


@always_inline
def add_fma[q_each: Int, r_each: Int, tile_size: Int, group_rows: Int, piece: Int](
    mut sums: Array[Float32, q_each * r_each], stage: UInt32, warp_q: Int32, warp_r: Int32, lane: Int32
):
    """A warp is 4 queries x 8 rows of threads; each thread has every 4th query and every 8th row of its warp."""
    var q_row = warp_q * Int32(q_each * 4) + (lane >> 3)
    var r_row = warp_r * Int32(group_rows) + (lane & 7)
    var queries = stage + UInt32(tile_size * piece)
    comptime for j in range(piece // 16):
        var wanted = Array[Four, q_each](fill=Four(0))
        comptime for q in range(q_each):
            wanted[q] = bitcast[DType.float32, 4](load_words(queries + permuted[piece](q_row + Int32(q * 4), Int32(j))))
        comptime for r in range(r_each):
            var row = bitcast[DType.float32, 4](load_words(stage + permuted[piece](r_row + Int32(r * 8), Int32(j))))
            comptime for i in range(4):
                comptime for q in range(q_each):
                    sums[q * r_each + r] = row[i].fma(wanted[q][i], sums[q * r_each + r])


@always_inline
def store_fma[q_each: Int, r_each: Int, queries: Int](
    sums: Array[Float32, q_each * r_each], partial_scores: Floats, group_best: Floats, first_row: Int32, first_query: Int32,
    group: Int32, corpus_size: Int32, row_stride: Int32, groups_stride: Int32, lane: Int32,
):
    var row = first_row + (lane & 7)
    comptime for q in range(q_each):
        var query = first_query + Int32(q * 4) + (lane >> 3)
        var best = NOTHING
        var target = partial_scores.unsafe_offset(Int(query) * Int(row_stride) + Int(row))
        comptime for r in range(r_each):
            if row + Int32(r * 8) < corpus_size:
                best = max(best, sums[q * r_each + r])
            if query < Int32(queries):
                target[unsafe_offset=r * 8] = sums[q * r_each + r]
        comptime for step in range(3):
            best = max(best, warp.shuffle_xor(best, UInt32(4 >> step)))
        if (lane & 7) == 0 and query < Int32(queries):
            group_best[unsafe_offset=Int(query) * Int(groups_stride) + Int(group)] = best


@always_inline
def score_tiles[
    tile_size: Int, block_size: Int, shared_bytes: Int, query_tile: Int, queries: Int, dims: Int, k: Int, dtype: StaticString
](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    ticket: Counts, corpus_size: Int32, mergers: Int32,
):
    comptime S = Shape[tile_size, block_size, shared_bytes, query_tile, queries, dims, k, dtype]
    comptime assert S.STAGES >= 1 and S.FIT >= S.UNIT, "shared_memory_kb too small for 32 bytes of every row and a step of queries"
    comptime assert S.KEPT <= 32, "k must be at most 26, or 32 without tensor cores"
    comptime assert S.WARPS * shelf_bytes(S.KEPT) <= shared_bytes, "shared_memory_kb too small to rank k rows in every warp"
    comptime Sum = Four if S.TENSOR else Float32
    var lane = Int32(thread_idx.x) & 31
    var own = Int32(thread_idx.x) >> 5
    var warp_q = Int32(UInt32(own) % UInt32(S.WARPS_Q))
    var warp_r = Int32(UInt32(own) // UInt32(S.WARPS_Q))
    var busy = own < Int32(S.WARPS_Q * S.WARPS_R)
    var stages = shared_base()
    var tiles = parts32(corpus_size, Int32(tile_size))
    var items = tiles * Int32(S.Q_TILES)
    var row_stride = tiles * Int32(tile_size)
    var groups = tiles * Int32(S.WARPS_R)
    var groups_stride = (groups + 3) & ~Int32(3)
    var workers = Int32(grid_dim.x) - Int32(S.ANSWERERS)
    comptime if S.ANSWERERS > 0:
        if Int32(block_idx.x) >= workers:
            answer_ready[block_size, shared_bytes, queries, S.GROUP_ROWS, S.KEPT, k, dims, S.ROW_BYTES, S.RESCORE](
                corpus, query_rows, scores, indices, partial_scores, group_best, ticket, corpus_size, row_stride, groups,
                groups_stride, 1, 0, workers,
            )
            return
    var source = Pipeline[tile_size, S.Q_TILE, S.Q_TILES, queries, block_size, S.PIECE, S.ROW_BYTES]()
    comptime for s in range(S.STAGES - 1):
        source.fetch(corpus, query_rows, corpus_size, items, workers, stages + UInt32(s * S.STAGE_BYTES))
    var slot: Int32 = 0
    var item = Int32(block_idx.x)
    while item < items:
        var tensor_sums = Array[Four, S.Q_EACH * S.R_EACH if S.TENSOR else 1](fill=Four(0))
        var fma_sums = Array[Float32, 1 if S.TENSOR else S.Q_EACH * S.R_EACH](fill=0)
        for _ in range(S.STEPS):
            comptime if S.STAGES > 1:
                async_copy_wait_group(Int32(S.STAGES - 2))
            barrier()
            var free = Int32(S.STAGES - 1) if slot == 0 else slot - 1
            source.fetch(corpus, query_rows, corpus_size, items, workers, stages + UInt32(free) * UInt32(S.STAGE_BYTES))
            comptime if S.STAGES == 1:
                async_copy_wait_group(0)
                barrier()
            var stage = stages + UInt32(slot) * UInt32(S.STAGE_BYTES)
            if busy:
                comptime if S.TENSOR:
                    add_tensor[S.Q_EACH, S.R_EACH, tile_size, S.GROUP_ROWS, S.PIECE, S.HALF, S.SPLIT](
                        rebind[Array[Four, S.Q_EACH * S.R_EACH]](tensor_sums), stage, warp_q, warp_r, lane
                    )
                else:
                    add_fma[S.Q_EACH, S.R_EACH, tile_size, S.GROUP_ROWS, S.PIECE](
                        rebind[Array[Float32, S.Q_EACH * S.R_EACH]](fma_sums), stage, warp_q, warp_r, lane
                    )
            slot = 0 if slot + 1 == Int32(S.STAGES) else slot + 1
        if busy:
            var tile = Int32(UInt32(item) // UInt32(S.Q_TILES))
            var first_row = tile * Int32(tile_size) + warp_r * Int32(S.GROUP_ROWS)
            var first_query = Int32(UInt32(item) % UInt32(S.Q_TILES)) * Int32(S.Q_TILE) + warp_q * Int32(S.Q_EACH * S.UNIT)
            var group = tile * Int32(S.WARPS_R) + warp_r
            comptime if S.TENSOR:
                store_tensor[S.Q_EACH, S.R_EACH, queries](
                    rebind[Array[Four, S.Q_EACH * S.R_EACH]](tensor_sums), partial_scores, group_best, first_row, first_query,
                    group, corpus_size, row_stride, groups_stride, lane,
                )
            else:
                store_fma[S.Q_EACH, S.R_EACH, queries](
                    rebind[Array[Float32, S.Q_EACH * S.R_EACH]](fma_sums), partial_scores, group_best, first_row, first_query,
                    group, corpus_size, row_stride, groups_stride, lane,
                )
        item += workers
    async_copy_wait_group(0)
    barrier()

    comptime if S.ANSWERERS > 0:
        if thread_idx.x == 0:
            finish_block_silently(ticket)
        return
    merge[block_size, queries, S.GROUP_ROWS, S.KEPT, k, dims, S.ROW_BYTES, S.RESCORE](
        corpus, query_rows, scores, indices, partial_scores, group_best, ticket, corpus_size, mergers, row_stride, groups,
        groups_stride,
    )

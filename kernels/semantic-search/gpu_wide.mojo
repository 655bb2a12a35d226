"""Many queries on Hopper: warpgroups multiply straight from shared memory, asynchronously, in tf32 or float16."""

from std.sys import inlined_assembly
from std.utils.static_tuple import StaticTuple
from max.gpu import block_idx, grid_dim, thread_idx
from max.gpu.compute.mma import (
    WGMMADescriptor, wgmma_async, wgmma_commit_group_sync, wgmma_fence_aligned, wgmma_wait_group_sync,
)
from max.gpu.memory import async_copy_wait_group
from max.gpu.primitives import warp
from max.gpu.sync import barrier
from gpu_access import Bytes, Counts, Floats, Indices, NOTHING, parts32, shared_base
from gpu_rank import shelf_bytes
from gpu_select import merge
from gpu_shape import Pipeline, Shape


@always_inline
def matrix_at[type: DType, piece: Int](address: UInt32) -> WGMMADescriptor[type]:
    """A matrix in shared memory, as the hardware wants it described: swizzled pieces, eight rows after eight rows."""
    comptime SWIZZLE = 1 if piece == 128 else (2 if piece == 64 else 3)
    comptime FIXED = (SWIZZLE << 62) | ((8 * piece // 16) << 32) | (1 << 16)
    return WGMMADescriptor[type](Int64(FIXED) | Int64((address & 0x3FFFF) >> 4))


@always_inline
def store_wide[q_each: Int, rows: Int, group_rows: Int, queries: Int](
    sums: Array[StaticTuple[Float32, rows // 2], q_each], partial_scores: Floats, group_best: Floats, first_row: Int32,
    first_query: Int32, corpus_size: Int32, row_stride: Int32, groups_stride: Int32, lane: Int32,
):
    var row = first_row + (lane & 3) * 2
    comptime for q in range(q_each):
        comptime for half in range(2):
            var query = first_query + Int32(q * 64 + half * 8) + (lane >> 2)
            var target = partial_scores.unsafe_offset(Int(query) * Int(row_stride) + Int(row))
            comptime for part in range(rows // group_rows):
                var best = NOTHING
                comptime for unit in range(group_rows // 8):
                    comptime r = part * group_rows + unit * 8
                    var pair = SIMD[DType.float32, 2](sums[q][r // 2 + half * 2], sums[q][r // 2 + half * 2 + 1])
                    if row + Int32(r) < corpus_size:
                        best = max(best, pair[0])
                    if row + Int32(r + 1) < corpus_size:
                        best = max(best, pair[1])
                    if query < Int32(queries):
                        target.unsafe_store[alignment=8](r, pair)
                best = max(best, warp.shuffle_xor(best, UInt32(1)))
                best = max(best, warp.shuffle_xor(best, UInt32(2)))
                if (lane & 3) == 0 and query < Int32(queries):
                    var group = Int32(UInt32(first_row + Int32(part * group_rows)) // UInt32(group_rows))
                    group_best[unsafe_offset=Int(query) * Int(groups_stride) + Int(group)] = best


@always_inline
def score_wide[
    tile_size: Int, block_size: Int, shared_bytes: Int, query_tile: Int, queries: Int, dims: Int, k: Int, dtype: StaticString
](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    ticket: Counts, corpus_size: Int32, mergers: Int32,
):
    """The copies run STAGES - 2 ahead: one stage is being multiplied while the next is started."""
    comptime S = Shape[tile_size, block_size, shared_bytes, query_tile, queries, dims, k, dtype]
    comptime ROWS = S.WARP_COLUMN
    comptime TYPE = DType.float16 if S.HALF else DType.float32
    comptime assert S.STAGES >= 3 and S.KEPT <= 32, "k must be at most 26 in tf32, 32 in float16"
    comptime assert S.WARPS * shelf_bytes(S.KEPT) <= shared_bytes, "shared_memory_kb too small to rank k rows in every warp"
    var lane = Int32(thread_idx.x) & 31
    var own = warp.shuffle_idx(Int32(thread_idx.x) >> 5, UInt32(0))
    var group_q = Int32(UInt32(own >> 2) % UInt32(S.WARPS_Q))
    var group_r = Int32(UInt32(own >> 2) // UInt32(S.WARPS_Q))
    var stages = shared_base()
    var tiles = parts32(corpus_size, Int32(tile_size))
    var items = tiles * Int32(S.Q_TILES)
    var row_stride = tiles * Int32(tile_size)
    var groups = Int32(UInt32(row_stride) // UInt32(S.GROUP_ROWS))
    var groups_stride = (groups + 3) & ~Int32(3)
    var blocks = Int32(grid_dim.x)
    var source = Pipeline[tile_size, S.Q_TILE, S.Q_TILES, queries, block_size, S.PIECE, S.ROW_BYTES]()
    comptime for s in range(S.STAGES - 2):
        source.fetch(corpus, query_rows, corpus_size, items, blocks, stages + UInt32(s * S.STAGE_BYTES))
    var slot: Int32 = 0
    var free: Int32 = Int32(S.STAGES - 2)
    var item = Int32(block_idx.x)
    while item < items:
        var sums = Array[StaticTuple[Float32, ROWS // 2], S.Q_EACH](fill=StaticTuple[Float32, ROWS // 2](fill=0))
        for _ in range(S.STEPS):
            async_copy_wait_group(Int32(S.STAGES - 3))
            inlined_assembly["fence.proxy.async.shared::cta;", NoneType, constraints="~{memory}"]()
            barrier()
            var rows = stages + UInt32(slot * Int32(S.STAGE_BYTES) + group_r * Int32(ROWS * S.PIECE))
            var wanted = stages + UInt32(
                slot * Int32(S.STAGE_BYTES) + (Int32(tile_size) + group_q * Int32(S.Q_EACH * 64)) * Int32(S.PIECE)
            )
            wgmma_fence_aligned()
            comptime for part in range(S.PIECE // 32):
                comptime for q in range(S.Q_EACH):
                    sums[q] = wgmma_async[64, ROWS, 16 if S.HALF else 8, DType.float32, ROWS // 2, a_type=TYPE, b_type=TYPE](
                        matrix_at[TYPE, S.PIECE](wanted + UInt32(q * 64 * S.PIECE + part * 32)),
                        matrix_at[TYPE, S.PIECE](rows + UInt32(part * 32)),
                        sums[q],
                    )
            wgmma_commit_group_sync()
            source.fetch(corpus, query_rows, corpus_size, items, blocks, stages + UInt32(free) * UInt32(S.STAGE_BYTES))
            wgmma_wait_group_sync[1]()
            slot = 0 if slot + 1 == Int32(S.STAGES) else slot + 1
            free = 0 if free + 1 == Int32(S.STAGES) else free + 1
        wgmma_wait_group_sync[0]()
        var tile = Int32(UInt32(item) // UInt32(S.Q_TILES))
        var first_query = Int32(UInt32(item) % UInt32(S.Q_TILES)) * Int32(S.Q_TILE)
        store_wide[S.Q_EACH, ROWS, S.GROUP_ROWS, queries](
            sums, partial_scores, group_best, tile * Int32(tile_size) + group_r * Int32(ROWS),
            first_query + group_q * Int32(S.Q_EACH * 64) + (own & 3) * 16, corpus_size, row_stride, groups_stride, lane,
        )
        item += blocks
    async_copy_wait_group(0)
    barrier()
    merge[block_size, queries, S.GROUP_ROWS, S.KEPT, k, dims, S.ROW_BYTES, S.RESCORE](
        corpus, query_rows, scores, indices, partial_scores, group_best, ticket, corpus_size, mergers, row_stride, groups,
        groups_stride,
    )

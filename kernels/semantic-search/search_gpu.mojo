"""Exact top-k search on NVIDIA GPUs, in one launch: the entry points.

`stream` answers one query, bound by memory; `tiles` answers many, as a matrix product does, and `wide` does so on Hopper;
`select` ranks.
The algorithm is that of search.cu, so that the languages race and not the ideas.
"""

from std.utils.static_tuple import StaticTuple
from max.gpu import block_idx, thread_idx
from max.gpu.globals import MAX_THREADS_PER_BLOCK_METADATA
from max.gpu.sync import syncwarp
from gpu_access import Bytes, Counts, Floats, Indices, Stamps, multiprocessor, nanoseconds
from gpu_shape import Shape
from gpu_stream import stream
from gpu_tiles import score_tiles
from gpu_wide import score_wide


def most_threads(block_size: Int, queries: Int, tile_size: Int) -> Int:
    """The launch bound that rations registers: one query wants 32 warps on a multiprocessor, many want 16 or 8."""
    if queries == 1:
        return max(block_size, 1024)
    return max(block_size, 512 if queries >= 32 and tile_size < 192 else 32)


@always_inline
def run[
    tile_size: Int, block_size: Int, shared_memory_kb: Int, query_tile: Int, queries: Int, dims: Int, k: Int, dtype: StaticString
](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    ticket: Counts, corpus_size: Int32, mergers: Int32,
):
    comptime assert (dims * (2 if dtype == "float16" else 4)) % 16 == 0, "a row must be a multiple of 16 bytes"
    comptime assert block_size % 32 == 0 and tile_size % 16 == 0, "block_size and tile_size must be multiples of 32 and 16"
    comptime if queries == 1:
        stream[tile_size, block_size, shared_memory_kb * 1024, dims, k, dtype](
            corpus, query_rows, scores, indices, partial_scores, group_best, ticket, corpus_size
        )
    elif Shape[tile_size, block_size, shared_memory_kb * 1024, query_tile, queries, dims, k, dtype].WIDE:
        score_wide[tile_size, block_size, shared_memory_kb * 1024, query_tile, queries, dims, k, dtype](
            corpus, query_rows, scores, indices, partial_scores, group_best, ticket, corpus_size, mergers
        )
    else:
        score_tiles[tile_size, block_size, shared_memory_kb * 1024, query_tile, queries, dims, k, dtype](
            corpus, query_rows, scores, indices, partial_scores, group_best, ticket, corpus_size, mergers
        )


@__name(t"search_t{tile_size}_b{block_size}_s{shared_memory_kb}_qt{query_tile}_q{queries}_d{dims}_k{k}_{dtype}")
@__llvm_metadata(MAX_THREADS_PER_BLOCK_METADATA=StaticTuple[Int32, 1](Int32(most_threads(block_size, queries, tile_size))))
def search[
    tile_size: Int, block_size: Int, shared_memory_kb: Int, query_tile: Int, queries: Int, dims: Int, k: Int, dtype: StaticString
](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    ticket: Counts, corpus_size: Int32, mergers: Int32,
):
    """Answers every query; scratch as in kernel.toml, `ticket` zero before and after."""
    run[tile_size, block_size, shared_memory_kb, query_tile, queries, dims, k, dtype](
        corpus, query_rows, scores, indices, partial_scores, group_best, ticket, corpus_size, mergers
    )


@__name(t"search_traced_t{tile_size}_b{block_size}_s{shared_memory_kb}_qt{query_tile}_q{queries}_d{dims}_k{k}_{dtype}")
@__llvm_metadata(MAX_THREADS_PER_BLOCK_METADATA=StaticTuple[Int32, 1](Int32(most_threads(block_size, queries, tile_size))))
def search_traced[
    tile_size: Int, block_size: Int, shared_memory_kb: Int, query_tile: Int, queries: Int, dims: Int, k: Int, dtype: StaticString
](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    ticket: Counts, corpus_size: Int32, mergers: Int32, trace: Stamps,
):
    """The same, noting when each warp began and ended (nanoseconds) and on which multiprocessor: (blocks x warps, 3)."""
    var place = (block_idx.x * (block_size // 32) + thread_idx.x // 32) * 3
    if thread_idx.x % 32 == 0:
        trace[unsafe_offset=place] = nanoseconds()
        trace[unsafe_offset=place + 2] = UInt64(multiprocessor())
    run[tile_size, block_size, shared_memory_kb, query_tile, queries, dims, k, dtype](
        corpus, query_rows, scores, indices, partial_scores, group_best, ticket, corpus_size, mergers
    )
    # No barrier: warps that finish early must leave early, as they do in the timed build.
    syncwarp()
    if thread_idx.x % 32 == 0:
        trace[unsafe_offset=place + 1] = nanoseconds()

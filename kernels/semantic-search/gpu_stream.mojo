"""One query: every warp streams whole rows through its own ring in shared memory, the query in registers.

Bound by memory; shared_memory_kb is the number of bytes that a block keeps in flight.
"""

from std.memory import bitcast
from max.gpu import block_idx, grid_dim, thread_idx
from max.gpu.memory import async_copy_commit_group, async_copy_wait_group
from max.gpu.sync import barrier
from gpu_access import (
    Bytes, Counts, Floats, Indices, NOTHING, Words, as_bits, as_float, copy_async, finish_block_silently, load_shared,
    load_words, parts, parts32, shared_base, store_shared, warp_sum,
)
from gpu_rank import shelf_bytes
from gpu_select import answer_ready


@always_inline
def widen[vector: Int](words: Words) -> SIMD[DType.float32, vector]:
    """The elements of one 16-byte access as float32."""
    comptime if vector == 8:
        return rebind[SIMD[DType.float32, vector]](bitcast[DType.float16, 8](words).cast[DType.float32]())
    else:
        return rebind[SIMD[DType.float32, vector]](bitcast[DType.float32, 4](words))


struct Source[row_bytes: Int, tile_size: Int, warp_rows: Int]:
    """Where the next copy of this warp comes from."""

    comptime CHUNKS = parts(Self.row_bytes, 512)

    var corpus: Bytes
    var next: Bytes
    var tile: Int32
    var row: Int32
    var chunk: Int32
    var workers: Int32
    var corpus_size: Int32
    var warp: Int32
    var lane: Int32

    @always_inline
    def __init__(out self, corpus: Bytes, corpus_size: Int32, workers: Int32, warp: Int32, lane: Int32):
        self.corpus = corpus
        self.tile = Int32(block_idx.x)
        self.row = self.tile * Int32(Self.tile_size) + warp * Int32(Self.warp_rows)
        self.next = corpus.unsafe_offset(Int(self.row) * Self.row_bytes + Int(lane) * 16)
        self.chunk = 0
        self.workers = workers
        self.corpus_size = corpus_size
        self.warp = warp
        self.lane = lane

    @always_inline
    def fetch(mut self, target: UInt32):
        if self.row < self.corpus_size:
            comptime if Self.row_bytes % 512 == 0:
                copy_async[False](target, self.next, True)
            else:
                var inside = self.chunk * 512 + self.lane * 16 < Int32(Self.row_bytes)
                copy_async[False](target, self.next if inside else self.corpus, inside)
        async_copy_commit_group()
        self.next = self.next.unsafe_offset(512)
        self.chunk += 1
        if self.chunk == Int32(Self.CHUNKS):
            self.chunk = 0
            comptime if Self.row_bytes % 512 != 0:
                self.next = self.next.unsafe_offset(Self.row_bytes - Self.CHUNKS * 512)
            self.row += 1
            if self.row == self.tile * Int32(Self.tile_size) + (self.warp + 1) * Int32(Self.warp_rows):
                self.tile += self.workers
                self.row = self.tile * Int32(Self.tile_size) + self.warp * Int32(Self.warp_rows)
                self.next = self.corpus.unsafe_offset(Int(self.row) * Self.row_bytes + Int(self.lane) * 16)


@always_inline
def score_stream[tile_size: Int, block_size: Int, shared_bytes: Int, row_bytes: Int, vector: Int](
    corpus: Bytes, query_rows: Bytes, partial_scores: Floats, group_best: Floats, ticket: Counts, corpus_size: Int32,
    tiles: Int32,
):
    comptime WARPS = block_size // 32
    comptime RING = min(64, shared_bytes // (WARPS * 512))   # chunks of 512 bytes in flight, for each warp
    comptime WARP_ROWS = tile_size // WARPS
    comptime CHUNKS = parts(row_bytes, 512)
    comptime V = SIMD[DType.float32, vector]
    comptime assert RING >= 1 and tile_size % WARPS == 0, "shared_memory_kb too small for 512 bytes a warp"
    var workers = Int32(grid_dim.x) - 1
    var lane = Int32(thread_idx.x) & 31
    var warp = Int32(thread_idx.x) >> 5
    var shared = shared_base()
    var ring = shared + UInt32(warp) * UInt32(RING * 512) + UInt32(lane) * 16
    var source = Source[row_bytes, tile_size, WARP_ROWS](corpus, corpus_size, workers, warp, lane)
    for i in range(RING):
        source.fetch(ring + UInt32(i * 512))
    var query = Array[V, CHUNKS](fill=V(0))
    comptime for c in range(CHUNKS):
        if Int32(c * 512) + lane * 16 < Int32(row_bytes):
            var at = query_rows.unsafe_offset(c * 512 + Int(lane) * 16).unsafe_bitcast[UInt32]()
            query[c] = widen[vector](at.unsafe_load[width=4, alignment=16, invariant=True](0))
    var best = NOTHING
    var slot = ring
    var tile = Int32(block_idx.x)
    while tile < tiles:
        for r in range(WARP_ROWS):
            var row = tile * Int32(tile_size) + warp * Int32(WARP_ROWS) + Int32(r)
            if row >= corpus_size:
                break
            var sum = V(0)
            comptime for c in range(CHUNKS):
                async_copy_wait_group(Int32(RING - 1))
                var x = widen[vector](load_words(slot))
                source.fetch(slot)
                slot += 512
                if slot == ring + UInt32(RING * 512):
                    slot = ring
                sum = x.fma(query[c], sum)
            var score = warp_sum(sum.reduce_add())
            best = max(best, score)
            if lane == 0:
                partial_scores[unsafe_offset=Int(row)] = score
        tile += workers
    async_copy_wait_group(0)
    barrier()
    if lane == 0:
        store_shared(shared + UInt32(warp) * 4, as_bits(best))
    barrier()
    if thread_idx.x == 0:
        comptime for w in range(1, WARPS):
            best = max(best, as_float(load_shared(shared + UInt32(w * 4))))
        group_best[unsafe_offset=block_idx.x] = best
        finish_block_silently(ticket)


@always_inline
def stream[tile_size: Int, block_size: Int, shared_bytes: Int, dims: Int, k: Int, dtype: StaticString](
    corpus: Bytes, query_rows: Bytes, scores: Floats, indices: Indices, partial_scores: Floats, group_best: Floats,
    ticket: Counts, corpus_size: Int32,
):
    """All blocks but the last score; the last answers."""
    comptime row_bytes = dims * (2 if dtype == "float16" else 4)
    comptime vector = 8 if dtype == "float16" else 4
    comptime assert block_size // 32 * shelf_bytes(k) <= shared_bytes and k <= 32, "k must be at most 32"
    var tiles = parts32(corpus_size, Int32(tile_size))
    var workers = Int32(grid_dim.x) - 1
    if Int32(block_idx.x) < workers:
        score_stream[tile_size, block_size, shared_bytes, row_bytes, vector](
            corpus, query_rows, partial_scores, group_best, ticket, corpus_size, tiles
        )
        return
    answer_ready[block_size, shared_bytes, 1, tile_size, k, k, dims, row_bytes, False](
        corpus, query_rows, scores, indices, partial_scores, group_best, ticket, corpus_size, tiles * Int32(tile_size),
        workers, (workers + 3) & ~Int32(3), parts32(tiles, workers), workers * Int32(tile_size), workers,
    )

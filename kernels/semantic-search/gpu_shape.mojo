"""How a block's warps, registers and shared memory share a tile of corpus rows x queries, and what fills that memory.

Rows and queries lie in shared memory as pieces of a few 16-byte chunks, permuted so that eight neighbouring rows never share
a bank, which is also how Hopper's matrix instructions want them.
"""

from std.sys.info import _is_sm_9x
from max.gpu import block_idx, thread_idx
from max.gpu.memory import async_copy_commit_group
from gpu_access import Bytes, copy_async, parts
from gpu_rank import answered_together


def most_sums(tile_size: Int) -> Int:
    """Sums that one thread may hold: registers against reuse."""
    return 128 if tile_size >= 192 else 64


def most_wide_sums(tile_size: Int, block_size: Int) -> Int:
    """The same for a thread of a warpgroup, which needs about 32 registers beside."""
    return min(most_sums(tile_size), 65536 // block_size - 32)


def warpgroups_along(wanted: Bool, tile_size: Int, block_size: Int, shared_bytes: Int, queries: Int) -> Int:
    """Warpgroups along the queries, or 0 where Hopper's matrix instructions cannot be used."""
    if not wanted or not _is_sm_9x() or block_size % 128 != 0:
        return 0
    var fit = shared_bytes // 96 - tile_size             # three stages of 32 bytes a row
    var warpgroups = block_size // 128
    for i in range(warpgroups):
        var q = warpgroups - i
        var r = warpgroups // q
        var rows = tile_size // r
        var whole = warpgroups % q == 0 and tile_size % r == 0
        if not whole or not (rows == 64 or rows == 96 or rows == 128 or rows == 192 or rows == 256):
            continue
        if rows <= most_wide_sums(tile_size, block_size) * 2 and (q - 1) * 64 < queries and q * 64 <= fit:
            return q
    return 0


struct Shape[
    tile_size: Int, block_size: Int, shared_bytes: Int, query_tile: Int, queries: Int, dims: Int, k: Int, dtype: StaticString
]:
    """How a block's warps, registers and shared memory share a tile of rows x queries; all fixed at build time."""

    comptime HALF = Self.dtype == "float16"
    comptime SPLIT = Self.dtype == "float32" and Self.queries >= 32
    comptime TENSOR = Self.dtype != "float32" or Self.SPLIT
    comptime RESCORE = Self.dtype == "tf32" or Self.SPLIT
    comptime KEPT = max(Self.k, min(Self.k + 6, 32)) if Self.RESCORE else Self.k
    comptime ROW_BYTES = Self.dims * (2 if Self.HALF else 4)
    comptime WARPS = Self.block_size // 32
    comptime UNIT = 16 if Self.TENSOR else 4             # queries that one step of a warp covers
    comptime ROW_UNITS = Self.tile_size // 8             # a step covers 8 rows
    comptime FIT = queries_that_fit(Self.tile_size, Self.shared_bytes, Self.UNIT)
    comptime WIDE_Q = warpgroups_along(
        Self.TENSOR and not Self.SPLIT and Self.queries >= 32, Self.tile_size, Self.block_size, Self.shared_bytes, Self.queries
    )
    comptime WIDE = Self.WIDE_Q > 0                      # Hopper's warpgroups, which then stand for warps along both
    comptime NARROW = warps_along(Self.TENSOR, Self.WARPS, Self.ROW_UNITS, Self.queries, Self.FIT)
    comptime WARPS_Q = Self.WIDE_Q if Self.WIDE else Self.NARROW[0]
    comptime WARPS_R = Self.block_size // 128 // Self.WIDE_Q if Self.WIDE else Self.NARROW[1]
    comptime R_EACH = Self.ROW_UNITS // Self.WARPS_R     # steps of 8 rows of one warp
    comptime WARP_COLUMN = Self.tile_size // Self.WARPS_R# rows of one warp
    comptime Q_UNIT = 64 if Self.WIDE else Self.UNIT
    comptime Q_EACH = queries_each(
        Self.Q_UNIT, Self.WARPS_Q, Self.R_EACH * (4 if Self.TENSOR else 1), Self.queries, Self.query_tile,
        Self.shared_bytes // 96 - Self.tile_size if Self.WIDE else Self.FIT,
        most_wide_sums(Self.tile_size, Self.block_size) if Self.WIDE else most_sums(Self.tile_size),
    )
    comptime Q_TILE = Self.Q_EACH * Self.Q_UNIT * Self.WARPS_Q
    comptime Q_TILES = parts(Self.queries, Self.Q_TILE)
    # A group is what one warp scores of a tile, or a part of it: neither too many groups to rank nor too many rows in one.
    comptime GROUP_ROWS = Self.WARP_COLUMN if not Self.WIDE else (48 if Self.WARP_COLUMN % 64 else 64)
    comptime STAGE_ROWS = Self.tile_size + Self.Q_TILE
    comptime PIECE = piece_bytes(Self.shared_bytes, Self.STAGE_ROWS, 3 if Self.WIDE else 2)
    comptime STAGES = min(8, Self.shared_bytes // (Self.STAGE_ROWS * Self.PIECE))
    comptime CHUNKS = Self.PIECE // 16
    comptime STEPS = parts(Self.ROW_BYTES, Self.PIECE)
    comptime TOGETHER = answered_together(Self.block_size, Self.shared_bytes, Self.queries, Self.KEPT)
    # Blocks that only answer; where there are none, all do at the end.
    comptime ANSWERERS = Self.queries if Self.TOGETHER else (parts(Self.queries, Self.WARPS) if Self.queries < 32 else 0)
    comptime STAGE_BYTES = Self.STAGE_ROWS * Self.PIECE


def queries_that_fit(tile_size: Int, shared_bytes: Int, unit: Int) -> Int:
    """Two stages of 32 bytes a row where they fit, else one."""
    var two = shared_bytes // 64 - tile_size
    return two if two >= unit else shared_bytes // 32 - tile_size


def warps_along(tensor: Bool, warps: Int, row_units: Int, queries: Int, fit: Int) -> Tuple[Int, Int]:
    """Warps along the queries and along the rows."""
    var most_r = row_units & -row_units
    var q = 1
    var r = 1
    var unit = 16 if tensor else 4
    if tensor:
        while r * 2 <= min(warps, most_r) and row_units // (r * 2) >= 4:
            r *= 2
        q = warps // r
        while q > 1 and (q // 2 * unit >= queries or q * unit > fit):
            q //= 2
    else:
        while q * 2 <= warps and q < 4 and q * 32 < queries:
            q *= 2
        while q > 1 and q * unit > fit:
            q //= 2
    r = min(warps // q, most_r)
    while not tensor and q * r * 2 <= warps and q * unit < queries and q * 2 * unit <= fit:
        q *= 2
    return (q, r)


def queries_each(unit: Int, warps_q: Int, sums: Int, queries: Int, query_tile: Int, fit: Int, most: Int) -> Int:
    """Queries of one warp in one tile, in units."""
    var each = max(1, min(most // sums, min(fit, max(query_tile, unit * warps_q)) // (unit * warps_q)))
    var tiles = parts(queries, each * unit * warps_q)
    return parts(parts(queries, tiles), unit * warps_q)


def piece_bytes(shared_bytes: Int, rows: Int, least_stages: Int) -> Int:
    if shared_bytes // (rows * 128) >= 3:
        return 128
    return 64 if shared_bytes // (rows * 64) >= least_stages else 32


@always_inline
def permuted[piece: Int](row: Int32, chunk: Int32) -> UInt32:
    comptime CHUNKS = piece // 16
    comptime SHIFT = 0 if CHUNKS == 8 else (1 if CHUNKS == 4 else 2)
    return UInt32(row * Int32(piece) + ((chunk ^ ((row >> Int32(SHIFT)) & Int32(CHUNKS - 1))) << 4))


@always_inline
def fetch_rows[rows: Int, block_size: Int, piece: Int, row_bytes: Int](
    base: Bytes, first: Int32, limit: Int32, step: Int32, target: UInt32
):
    comptime CHUNKS = piece // 16
    comptime STRIDE = block_size // CHUNKS
    var row = Int32(UInt32(thread_idx.x) // UInt32(CHUNKS))
    var chunk = Int32(UInt32(thread_idx.x) % UInt32(CHUNKS))
    var byte = step * Int32(piece) + chunk * 16
    var inside = True
    comptime if row_bytes % piece != 0:
        inside = byte < Int32(row_bytes)
    var source = base.unsafe_offset(Int(first + row) * row_bytes + Int(byte))
    comptime for i in range(parts(rows, STRIDE)):
        comptime r = i * STRIDE
        if rows % STRIDE == 0 or Int32(r) + row < Int32(rows):
            var valid = inside and first + row + Int32(r) < limit
            copy_async[True](
                target + permuted[piece](row + Int32(r), chunk), source.unsafe_offset(r * row_bytes) if valid else base, valid
            )


struct Pipeline[tile_size: Int, q_tile: Int, q_tiles: Int, queries: Int, block_size: Int, piece: Int, row_bytes: Int]:
    """What the next copy brings: piece `step` of the rows and queries of `item`."""

    var item: Int32
    var step: Int32

    @always_inline
    def __init__(out self):
        self.item = Int32(block_idx.x)
        self.step = 0

    @always_inline
    def fetch(mut self, corpus: Bytes, query_rows: Bytes, corpus_size: Int32, items: Int32, workers: Int32, target: UInt32):
        if self.item < items:
            var tile = Int32(UInt32(self.item) // UInt32(Self.q_tiles))
            var q_first = Int32(UInt32(self.item) % UInt32(Self.q_tiles)) * Int32(Self.q_tile)
            fetch_rows[Self.tile_size, Self.block_size, Self.piece, Self.row_bytes](
                corpus, tile * Int32(Self.tile_size), corpus_size, self.step, target
            )
            fetch_rows[Self.q_tile, Self.block_size, Self.piece, Self.row_bytes](
                query_rows, q_first, Int32(Self.queries), self.step, target + UInt32(Self.tile_size * Self.piece)
            )
        async_copy_commit_group()
        self.step += 1
        if self.step == Int32(parts(Self.row_bytes, Self.piece)):
            self.step = 0
            self.item += workers

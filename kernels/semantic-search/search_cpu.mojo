# Exact top-k search on the CPU: register-blocked inner products over tiles of the corpus that stay in
# a core's L2 while all queries pass, with every thread keeping its own sorted lists of the k best.
from std.math import ceildiv
from std.sys import simd_width_of
from max.algorithm import parallelize

comptime F32 = Pointer[Float32, MutUntrackedOrigin]
comptime I32 = Pointer[Int32, MutUntrackedOrigin]
comptime WIDTH = simd_width_of[DType.float32]()


@always_inline
def products[dims: Int, rows: Int, columns: Int](c: F32, q: F32) -> Array[Float32, rows * columns]:
    """The products of `rows` corpus rows and `columns` queries; row i with query j is at [j * rows + i]."""
    var sums = Array[SIMD[DType.float32, WIDTH], rows * columns](fill=0)
    comptime whole = dims // WIDTH * WIDTH
    for d in range(0, whole, WIDTH):
        var qv = Array[SIMD[DType.float32, WIDTH], columns](fill=0)
        comptime for j in range(columns):
            qv[j] = q.unsafe_load[width=WIDTH](j * dims + d)
        comptime for i in range(rows):
            var cv = c.unsafe_load[width=WIDTH](i * dims + d)
            comptime for j in range(columns):
                sums[j * rows + i] = cv.fma(qv[j], sums[j * rows + i])
    var found = Array[Float32, rows * columns](fill=0)
    comptime for j in range(columns):
        comptime for i in range(rows):
            var s = sums[j * rows + i].reduce_add()
            for d in range(whole, dims):  # dims that are no multiple of the vector width
                s += c[unsafe_offset=i * dims + d] * q[unsafe_offset=j * dims + d]
            found[j * rows + i] = s
    return found^


@always_inline
def insert(values: F32, rows: I32, k: Int, value: Float32, row: Int32):
    """Puts a row into a list sorted best first, dropping the last."""
    var at = k - 1
    while at > 0 and values[unsafe_offset=at - 1] < value:
        values[unsafe_offset=at] = values[unsafe_offset=at - 1]
        rows[unsafe_offset=at] = rows[unsafe_offset=at - 1]
        at -= 1
    values[unsafe_offset=at] = value
    rows[unsafe_offset=at] = row


@always_inline
def block[
    dims: Int, rows: Int, columns: Int
](corpus: F32, query_rows: F32, r: Int, q: Int, k: Int, values: F32, indices: I32):
    """Scores rows r.. against queries q.. and keeps what belongs to the best."""
    var found = products[dims, rows, columns](corpus.unsafe_offset(r * dims), query_rows.unsafe_offset(q * dims))
    comptime for j in range(columns):
        var base = (q + j) * k
        comptime for i in range(rows):
            if found[j * rows + i] > values[unsafe_offset=base + k - 1]:
                insert(values.unsafe_offset(base), indices.unsafe_offset(base), k, found[j * rows + i], Int32(r + i))


@always_inline
def strip[
    dims: Int, row_block: Int, columns: Int
](corpus: F32, query_rows: F32, first: Int, last: Int, q: Int, k: Int, values: F32, indices: I32):
    """One group of queries over the rows of a tile."""
    var whole = first + (last - first) // row_block * row_block
    for r in range(first, whole, row_block):
        block[dims, row_block, columns](corpus, query_rows, r, q, k, values, indices)
    for r in range(whole, last):
        block[dims, 1, columns](corpus, query_rows, r, q, k, values, indices)


def search[
    dims: Int, row_block: Int, query_block: Int
](
    corpus: F32,
    query_rows: F32,
    corpus_size: Int,
    queries: Int,
    k: Int,
    tile_rows: Int,
    threads: Int,
    scores: F32,
    indices: I32,
    partial_scores: F32,
    partial_indices: I32,
):
    """Writes the k best rows of every query, best first; partials are (threads, queries, k)."""
    comptime assert row_block * query_block <= 28, "row_block * query_block must leave vector registers for the operands"
    var share = ceildiv(ceildiv(corpus_size, threads), tile_rows) * tile_rows
    var whole = queries // query_block * query_block

    def scan(t: Int) {imm}:
        var values = partial_scores.unsafe_offset(t * queries * k)
        var rows = partial_indices.unsafe_offset(t * queries * k)
        for i in range(queries * k):
            values[unsafe_offset=i] = Float32.MIN
            rows[unsafe_offset=i] = -1
        for first in range(min(corpus_size, t * share), min(corpus_size, (t + 1) * share), tile_rows):
            var last = min(corpus_size, first + tile_rows)
            for q in range(0, whole, query_block):
                strip[dims, row_block, query_block](corpus, query_rows, first, last, q, k, values, rows)
            for q in range(whole, queries):
                strip[dims, row_block, 1](corpus, query_rows, first, last, q, k, values, rows)

    parallelize(scan, threads, threads)
    for q in range(queries):
        var best = scores.unsafe_offset(q * k)
        var best_rows = indices.unsafe_offset(q * k)
        for i in range(k):
            best[unsafe_offset=i] = partial_scores[unsafe_offset=q * k + i]
            best_rows[unsafe_offset=i] = partial_indices[unsafe_offset=q * k + i]
        for t in range(1, threads):
            for i in range(k):
                var at = (t * queries + q) * k + i
                if partial_scores[unsafe_offset=at] > best[unsafe_offset=k - 1]:
                    insert(best, best_rows, k, partial_scores[unsafe_offset=at], partial_indices[unsafe_offset=at])

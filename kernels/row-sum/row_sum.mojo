# Row sums on the CPU: `unroll` vectors are summed side by side, and rows are dealt out to threads.
from std.math import ceildiv
from std.sys import simd_width_of
from max.algorithm import parallelize

comptime F32 = Pointer[Float32, MutUntrackedOrigin]
comptime WIDTH = simd_width_of[DType.float32]()


def row_sum[unroll: Int](matrix: F32, sums: F32, rows: Int, columns: Int, threads: Int):
    """Writes the sum of every row of `matrix` (rows, columns) into `sums` (rows)."""
    comptime step = WIDTH * unroll
    var share = ceildiv(rows, threads)
    var whole = columns // step * step

    def some_rows(t: Int) {imm}:
        for r in range(t * share, min(rows, (t + 1) * share)):
            var row = matrix.unsafe_offset(r * columns)
            var parts = Array[SIMD[DType.float32, WIDTH], unroll](fill=0)
            for c in range(0, whole, step):
                comptime for i in range(unroll):
                    parts[i] += row.unsafe_load[width=WIDTH](c + i * WIDTH)
            var total: Float32 = 0
            comptime for i in range(unroll):
                total += parts[i].reduce_add()
            for c in range(whole, columns):
                total += row[unsafe_offset=c]
            sums[unsafe_offset=r] = total

    parallelize(some_rows, threads, threads)

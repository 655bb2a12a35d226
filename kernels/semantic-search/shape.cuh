// How a block's warps, registers and shared memory share its tile of rows x queries; all fixed at build time.
#pragma once
#include "select.cuh"

struct Shape {
    int warps_q, warps_r;      // warps along the queries and along the rows; whole warpgroups where `WIDE`
    int each;                  // queries of one warp, in units of `unit`
    int queries;               // queries of one tile
};

// Hopper's own instructions: four warps multiply 64 queries by up to 256 rows straight from shared memory.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) && !defined(NO_WGMMA)
constexpr bool HOPPER = true;
#else
constexpr bool HOPPER = false;
#endif

constexpr int UNIT = TENSOR_CORES ? 16 : 4;            // queries that one step of a warp covers
constexpr int ROW_UNITS = TILE_SIZE / 8;               // a step covers 8 rows
constexpr int STEP_SUMS = TENSOR_CORES ? 4 : 1;        // sums of one thread in one step

__host__ __device__ constexpr int queries_that_fit() {
    const int two = SHARED_BYTES / 64 - TILE_SIZE;     // two stages of 32 bytes a row
    return two >= UNIT ? two : SHARED_BYTES / 32 - TILE_SIZE;
}

__host__ __device__ constexpr Shape shape() {
    const int warps_r_most = ROW_UNITS & -ROW_UNITS;   // largest power of two that divides
    int q = 1, r = 1;
    if (TENSOR_CORES) {
        while (r * 2 <= least(WARPS, warps_r_most) && ROW_UNITS / (r * 2) >= 4) r *= 2;
        q = WARPS / r;
        while (q > 1 && (q / 2 * UNIT >= QUERIES || q * UNIT > queries_that_fit())) q /= 2;
    } else {
        while (q * 2 <= WARPS && q < 4 && q * 32 < QUERIES) q *= 2;
        while (q > 1 && q * UNIT > queries_that_fit()) q /= 2;
    }
    r = least(WARPS / q, warps_r_most);
    while (!TENSOR_CORES && q * r * 2 <= WARPS && q * UNIT < QUERIES && q * 2 * UNIT <= queries_that_fit()) q *= 2;
    const int sums = ROW_UNITS / r * STEP_SUMS;
    int each = most(1, least(SUMS / sums, least(queries_that_fit(), most(QUERY_TILE, UNIT * q)) / (UNIT * q)));
    const int tiles = parts(QUERIES, each * UNIT * q);
    each = parts(parts(QUERIES, tiles), UNIT * q);
    return Shape{q, r, each, each * UNIT * q};
}

__host__ __device__ constexpr bool has_instruction(int rows) {
    return rows == 64 || rows == 96 || rows == 128 || rows == 192 || rows == 256;
}

// The shape for warpgroups, or one without queries where they cannot be used.
__host__ __device__ constexpr Shape wide_shape() {
    const int warpgroups = BLOCK_SIZE / 128, fit = SHARED_BYTES / 96 - TILE_SIZE;   // three stages of 32 bytes a row
    const bool wanted = HOPPER && TENSOR_CORES && !SPLIT_FLOAT32 && QUERIES >= 32 && BLOCK_SIZE % 128 == 0;
    for (int q = wanted ? warpgroups : 0; q >= 1; q--) {
        const int r = warpgroups / q, rows = TILE_SIZE / r;
        const bool whole = warpgroups % q == 0 && TILE_SIZE % r == 0 && has_instruction(rows);
        const int most_sums = least(SUMS, 65536 / BLOCK_SIZE - 32);
        if (!whole || rows > most_sums * 2 || (q - 1) * 64 >= QUERIES || q * 64 > fit) continue;
        int each = most(1, least(most_sums * 2 / rows, least(fit, most(QUERY_TILE, 64 * q)) / (64 * q)));
        const int tiles = parts(QUERIES, each * 64 * q);
        each = parts(parts(QUERIES, tiles), 64 * q);
        return Shape{q, r, each, each * 64 * q};
    }
    return Shape{};
}

constexpr bool WIDE = wide_shape().queries > 0;
constexpr Shape SHAPE = WIDE ? wide_shape() : shape();
constexpr int Q_TILES = parts(QUERIES, SHAPE.queries);
constexpr int R_EACH = ROW_UNITS / SHAPE.warps_r;      // steps of 8 rows of one warp
constexpr int WARP_COLUMN = TILE_SIZE / SHAPE.warps_r; // rows of one warp
// A group is what one warp scores of a tile, or a part of it: neither too many groups to rank nor too many rows in one.
constexpr int GROUP_ROWS = !WIDE ? WARP_COLUMN : WARP_COLUMN % 64 ? 48 : 64;
constexpr int STAGE_ROWS = TILE_SIZE + SHAPE.queries;

__host__ __device__ constexpr int stages_of(int piece) { return SHARED_BYTES / (STAGE_ROWS * piece); }
constexpr int PIECE = stages_of(128) >= 3 ? 128 : stages_of(64) >= (WIDE ? 3 : 2) ? 64 : 32;
constexpr int STAGES = least(8, stages_of(PIECE));
constexpr int CHUNKS = PIECE / 16;
constexpr int STEPS = parts(ROW_BYTES, PIECE);         // pieces of one row
constexpr int STAGE_BYTES = STAGE_ROWS * PIECE;

// Blocks that only answer; where there are none, all do at the end.
constexpr int ANSWERERS = TOGETHER ? QUERIES : QUERIES < 32 ? parts(QUERIES, WARPS) : 0;

struct TileRows {
    static constexpr int SPAN = GROUP_ROWS;
    __device__ __forceinline__ int spans() const { return 1; }
    __device__ __forceinline__ int first(int group, int span) const { return group * GROUP_ROWS; }
};

__device__ __forceinline__ constexpr int permuted(int row, int chunk) {
    return row * PIECE + (chunk ^ (row / (8 / CHUNKS) & (CHUNKS - 1))) * 16;
}

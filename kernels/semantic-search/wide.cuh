// Many queries on Hopper: warpgroups multiply straight from shared memory, asynchronously, in tf32 or float16.
// The pieces lie there permuted exactly as the hardware's own swizzle of PIECE bytes wants them.
#pragma once
#include "tiles.cuh"

#define ONES "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9"
#define TENS(t) ",%" #t "0,%" #t "1,%" #t "2,%" #t "3,%" #t "4,%" #t "5,%" #t "6,%" #t "7,%" #t "8,%" #t "9"
#define SUM8(i) "+f"(s[i]), "+f"(s[i + 1]), "+f"(s[i + 2]), "+f"(s[i + 3]), "+f"(s[i + 4]), "+f"(s[i + 5]), "+f"(s[i + 6]), "+f"(s[i + 7])
#define SUM32(i) SUM8(i), SUM8(i + 8), SUM8(i + 16), SUM8(i + 24)
#if defined(DTYPE_FLOAT16)
#define WIDE_TYPES "k16.f32.f16.f16 {"
#define WIDE_END ", p, 1, 1, 0, 0; }"
#else
#define WIDE_TYPES "k8.f32.tf32.tf32 {"
#define WIDE_END ", p, 1, 1; }"
#endif
#define MULTIPLY(rows, names, places, always, ...)                                                                  \
    asm volatile("{ .reg .pred p; setp.ne.b32 p, " always ", 0; wgmma.mma_async.sync.aligned.m64n" #rows WIDE_TYPES \
                 names "}, " places WIDE_END : __VA_ARGS__ : "l"(queries), "l"(corpus), "r"(1))

// 64 queries x ROWS rows: s += their products over 32 bytes of each.
template <int ROWS> __device__ __forceinline__ void multiply_wide(float (&s)[ROWS / 2], unsigned long long queries, unsigned long long corpus) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    if constexpr (ROWS == 64) MULTIPLY(64, ONES TENS(1) TENS(2) ",%30,%31", "%32, %33", "%34", SUM32(0));
    if constexpr (ROWS == 96)
        MULTIPLY(96, ONES TENS(1) TENS(2) TENS(3) ",%40,%41,%42,%43,%44,%45,%46,%47", "%48, %49", "%50", SUM32(0), SUM8(32), SUM8(40));
    if constexpr (ROWS == 128)
        MULTIPLY(128, ONES TENS(1) TENS(2) TENS(3) TENS(4) TENS(5) ",%60,%61,%62,%63", "%64, %65", "%66", SUM32(0), SUM32(32));
    if constexpr (ROWS == 192)
        MULTIPLY(192, ONES TENS(1) TENS(2) TENS(3) TENS(4) TENS(5) TENS(6) TENS(7) TENS(8) ",%90,%91,%92,%93,%94,%95", "%96, %97",
                 "%98", SUM32(0), SUM32(32), SUM32(64));
    if constexpr (ROWS == 256)
        MULTIPLY(256, ONES TENS(1) TENS(2) TENS(3) TENS(4) TENS(5) TENS(6) TENS(7) TENS(8) TENS(9) TENS(10) TENS(11)
                 ",%120,%121,%122,%123,%124,%125,%126,%127", "%128, %129", "%130", SUM32(0), SUM32(32), SUM32(64), SUM32(96));
#endif
}

// A matrix in shared memory, as the hardware wants it described: swizzled pieces, eight rows after eight rows.
__device__ __forceinline__ unsigned long long matrix_at(unsigned address) {
    constexpr unsigned long long SWIZZLE = PIECE == 128 ? 1 : PIECE == 64 ? 2 : 3;
    return SWIZZLE << 62 | (unsigned long long)(8 * PIECE / 16) << 32 | 1ull << 16 | (address & 0x3ffff) >> 4;
}

struct WideSums {
    float sum[SHAPE.each][WARP_COLUMN / 2];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int q = 0; q < SHAPE.each; q++)
#pragma unroll
            for (int i = 0; i < WARP_COLUMN / 2; i++) sum[q][i] = 0;
    }

    // Only starts the products of one stage; `finish` waits until at most so many stages are unfinished.
    __device__ __forceinline__ void start(unsigned stage, int group_q, int group_r) {
        asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
        const unsigned rows = stage + group_r * WARP_COLUMN * PIECE;
        const unsigned queries = stage + (TILE_SIZE + group_q * SHAPE.each * 64) * PIECE;
#pragma unroll
        for (int k = 0; k < PIECE; k += 32)
#pragma unroll
            for (int q = 0; q < SHAPE.each; q++)
                multiply_wide<WARP_COLUMN>(sum[q], matrix_at(queries + q * 64 * PIECE + k), matrix_at(rows + k));
        asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    }

    template <int UNFINISHED> __device__ __forceinline__ static void finish() {
        asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(UNFINISHED) : "memory");
    }

    __device__ __forceinline__ void store(const Search& work, int first_row, int first_query, int lane) {
        const int row = first_row + (lane & 3) * 2, left = work.corpus_size - row;
#pragma unroll
        for (int q = 0; q < SHAPE.each; q++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int query = first_query + q * 64 + half * 8 + (lane >> 2);
                float* out = work.partial_scores + (size_t)query * work.stride + row;
#pragma unroll
                for (int part = 0; part < WARP_COLUMN; part += GROUP_ROWS) {
                    if (query < QUERIES) {              // the stores one after the other, with nothing between them
#pragma unroll
                        for (int r = part; r < part + GROUP_ROWS; r += 8)
                            *reinterpret_cast<float2*>(out + r) = make_float2(sum[q][r / 2 + half * 2], sum[q][r / 2 + half * 2 + 1]);
                    }
                    float best = NOTHING;
#pragma unroll
                    for (int r = part; r < part + GROUP_ROWS; r += 8) {
                        best = fmaxf(best, r < left ? sum[q][r / 2 + half * 2] : NOTHING);
                        best = fmaxf(best, r + 1 < left ? sum[q][r / 2 + half * 2 + 1] : NOTHING);
                    }
                    best = fmaxf(best, __shfl_xor_sync(ALL, best, 1));
                    best = fmaxf(best, __shfl_xor_sync(ALL, best, 2));
                    if ((lane & 3) == 0 && query < QUERIES)
                        work.group_best[(size_t)query * work.groups_stride + (first_row + part) / GROUP_ROWS] = best;
                }
            }
    }
};

// The copies run STAGES - 2 ahead: one stage is being multiplied while the next is started.
__device__ __forceinline__ void score_wide(const Search& work, unsigned* ticket, int mergers, float* shared) {
    static_assert(!WIDE || STAGES >= 3, "warpgroups want three stages");
    const int lane = threadIdx.x & 31, warp = __shfl_sync(ALL, threadIdx.x / 32, 0);
    const int group_q = warp / 4 % SHAPE.warps_q, group_r = warp / 4 / SHAPE.warps_q;
    const unsigned stages = shared_address(shared);
    const int items = work.tiles * Q_TILES;
    TileSource from{(int)blockIdx.x, 0};
#pragma unroll
    for (int s = 0; s < STAGES - 2; s++) fetch_stage(work, from, items, gridDim.x, stages + s * STAGE_BYTES);
    int slot = 0, free_slot = STAGES - 2;
    for (int item = blockIdx.x; item < items; item += gridDim.x) {
        WideSums sums;
        sums.clear();
#pragma unroll 1
        for (int step = 0; step < STEPS; step++) {
            wait_copies<STAGES - 3>();
            asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
            __syncthreads();
            fetch_stage(work, from, items, gridDim.x, stages + free_slot * STAGE_BYTES);
            sums.start(stages + slot * STAGE_BYTES, group_q, group_r);
            WideSums::finish<1>();
            slot = slot + 1 == STAGES ? 0 : slot + 1;
            free_slot = free_slot + 1 == STAGES ? 0 : free_slot + 1;
        }
        WideSums::finish<0>();
        sums.store(work, item / Q_TILES * TILE_SIZE + group_r * WARP_COLUMN,
                   item % Q_TILES * SHAPE.queries + group_q * SHAPE.each * 64 + warp % 4 * 16, lane);
    }
    wait_copies<0>();
    __syncthreads();
    merge(work, TileRows{}, ticket, mergers, shared);
}

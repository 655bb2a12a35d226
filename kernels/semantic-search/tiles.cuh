// Several queries: blocks of corpus rows x queries through a pipeline in shared memory, as in a matrix product;
// float32 with FMA, tf32 and float16 with tensor cores.  Rows and queries lie in shared memory as pieces of
// PIECE bytes, their 16-byte chunks permuted so that eight neighbouring rows never share a bank.
#pragma once
#include "shape.cuh"

// What the next copy brings: piece `step` of the rows and queries of `item`.
struct TileSource {
    int item, step;
};

template <int ROWS>
__device__ __forceinline__ void fetch_rows(const char* base, int first, int limit, int step, unsigned target) {
    constexpr int STRIDE = BLOCK_SIZE / CHUNKS;
    const int row = threadIdx.x / CHUNKS, chunk = threadIdx.x % CHUNKS;
    const int byte = step * PIECE + chunk * 16;
    const bool inside = ROW_BYTES % PIECE == 0 || byte < ROW_BYTES;
    const char* source = base + (size_t)(first + row) * ROW_BYTES + byte;
    const int left = limit - first - row;
#pragma unroll
    for (int r = 0; r < ROWS; r += STRIDE) {
        if (ROWS % STRIDE == 0 || r + row < ROWS) {
            const bool valid = inside && r < left;
            copy_async<true>(target + permuted(row + r, chunk), valid ? source + (size_t)r * ROW_BYTES : base, valid);
        }
    }
}

__device__ __forceinline__ void fetch_stage(const Search& work, TileSource& from, int items, int workers, unsigned target) {
    if (from.item < items) {
        fetch_rows<TILE_SIZE>(work.corpus, from.item / Q_TILES * TILE_SIZE, work.corpus_size, from.step, target);
        fetch_rows<SHAPE.queries>(work.query_rows, from.item % Q_TILES * SHAPE.queries, QUERIES, from.step,
                                  target + TILE_SIZE * PIECE);
    }
    commit_copies();
    if (++from.step == STEPS) {
        from.step = 0;
        from.item += workers;
    }
}

__device__ __forceinline__ void load_matrices(unsigned (&out)[4], unsigned address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address)
                 : "memory");
}

__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#if defined(DTYPE_FLOAT16)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
#else
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
#endif
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// What tf32 leaves of a float32, as a second number: the cores ignore the last 13 bits of their inputs.
__device__ __forceinline__ void split(const unsigned (&whole)[4], unsigned (&rest)[4]) {
#pragma unroll
    for (int i = 0; i < 4; i++)
        rest[i] = SPLIT_FLOAT32 ? __float_as_uint(__uint_as_float(whole[i]) - __uint_as_float(whole[i] & 0xffffe000u)) : 0;
}

// Tensor cores: queries are the 16 rows of a step, corpus rows its 8 columns; 32 bytes of both at a time.
struct TensorSums {
    float sum[SHAPE.each][R_EACH][4];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int q = 0; q < SHAPE.each; q++)
#pragma unroll
            for (int r = 0; r < R_EACH; r++)
#pragma unroll
                for (int i = 0; i < 4; i++) sum[q][r][i] = 0;
    }

    __device__ __forceinline__ void add(unsigned stage, int warp_q, int warp_r, int lane) {
        const int q_row = warp_q * SHAPE.each * 16 + (lane & 15);
        const int r_row = warp_r * GROUP_ROWS + (lane >> 4) * 8 + (lane & 7);
        const unsigned queries = stage + TILE_SIZE * PIECE;
#pragma unroll
        for (int k = 0; k < CHUNKS; k += 2) {
            unsigned rows[(R_EACH + 1) / 2][4];
#pragma unroll
            for (int r = 0; r < R_EACH; r += 2) {
                // the last step of an odd number reads its own rows twice
                const int row = r + 1 < R_EACH ? r_row + r * 8 : warp_r * GROUP_ROWS + r * 8 + (lane & 7);
                load_matrices(rows[r / 2], stage + permuted(row, k + ((lane >> 3) & 1)));
            }
            unsigned rows_rest[(R_EACH + 1) / 2][4];
#pragma unroll
            for (int r = 0; r < (R_EACH + 1) / 2; r++) split(rows[r], rows_rest[r]);
#pragma unroll
            for (int q = 0; q < SHAPE.each; q++) {
                unsigned wanted[4], wanted_rest[4];
                load_matrices(wanted, queries + permuted(q_row + q * 16, k + (lane >> 4)));
                split(wanted, wanted_rest);
#pragma unroll
                for (int r = 0; r < R_EACH; r++) {
                    const int half = r % 2 * 2;
                    if constexpr (SPLIT_FLOAT32) {
                        multiply(sum[q][r], wanted_rest, rows[r / 2][half], rows[r / 2][half + 1]);
                        multiply(sum[q][r], wanted, rows_rest[r / 2][half], rows_rest[r / 2][half + 1]);
                    }
                    multiply(sum[q][r], wanted, rows[r / 2][half], rows[r / 2][half + 1]);
                }
            }
        }
    }

    __device__ __forceinline__ void store(const Search& work, int first_row, int first_query, int group, int lane) {
        const int row = first_row + (lane & 3) * 2;
#pragma unroll
        for (int q = 0; q < SHAPE.each; q++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int query = first_query + q * 16 + half * 8 + (lane >> 2);
                float best = NOTHING;
                float* out = work.partial_scores + (size_t)query * work.stride + row;
#pragma unroll
                for (int r = 0; r < R_EACH; r++) {
                    const float2 pair = make_float2(sum[q][r][half * 2], sum[q][r][half * 2 + 1]);
                    if (row + r * 8 < work.corpus_size) best = fmaxf(best, pair.x);
                    if (row + r * 8 + 1 < work.corpus_size) best = fmaxf(best, pair.y);
                    if (query < QUERIES) *reinterpret_cast<float2*>(out + r * 8) = pair;
                }
                best = fmaxf(best, __shfl_xor_sync(ALL, best, 1));
                best = fmaxf(best, __shfl_xor_sync(ALL, best, 2));
                if ((lane & 3) == 0 && query < QUERIES) work.group_best[(size_t)query * work.groups_stride + group] = best;
            }
    }
};

// FMA: a warp is 4 queries x 8 rows of threads; each thread has every 4th query and every 8th row of its warp.
struct FmaSums {
    float sum[SHAPE.each][R_EACH];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int q = 0; q < SHAPE.each; q++)
#pragma unroll
            for (int r = 0; r < R_EACH; r++) sum[q][r] = 0;
    }

    __device__ __forceinline__ void add(unsigned stage, int warp_q, int warp_r, int lane) {
        const int q_row = warp_q * SHAPE.each * 4 + (lane >> 3);
        const int r_row = warp_r * GROUP_ROWS + (lane & 7);
        const unsigned queries = stage + TILE_SIZE * PIECE;
#pragma unroll
        for (int k = 0; k < CHUNKS; k++) {
            float wanted[SHAPE.each][4];
#pragma unroll
            for (int q = 0; q < SHAPE.each; q++) unpack(load_shared(queries + permuted(q_row + q * 4, k)), wanted[q]);
#pragma unroll
            for (int r = 0; r < R_EACH; r++) {
                float row[4];
                unpack(load_shared(stage + permuted(r_row + r * 8, k)), row);
#pragma unroll
                for (int i = 0; i < 4; i++)
#pragma unroll
                    for (int q = 0; q < SHAPE.each; q++) sum[q][r] = fmaf(row[i], wanted[q][i], sum[q][r]);
            }
        }
    }

    __device__ __forceinline__ static void unpack(uint4 bits, float (&out)[4]) {
        out[0] = __uint_as_float(bits.x);
        out[1] = __uint_as_float(bits.y);
        out[2] = __uint_as_float(bits.z);
        out[3] = __uint_as_float(bits.w);
    }

    __device__ __forceinline__ void store(const Search& work, int first_row, int first_query, int group, int lane) {
        const int row = first_row + (lane & 7);
#pragma unroll
        for (int q = 0; q < SHAPE.each; q++) {
            const int query = first_query + q * 4 + (lane >> 3);
            float best = NOTHING;
            float* out = work.partial_scores + (size_t)query * work.stride + row;
#pragma unroll
            for (int r = 0; r < R_EACH; r++) {
                if (row + r * 8 < work.corpus_size) best = fmaxf(best, sum[q][r]);
                if (query < QUERIES) out[r * 8] = sum[q][r];
            }
#pragma unroll
            for (int step = 4; step; step /= 2) best = fmaxf(best, __shfl_xor_sync(ALL, best, step));
            if ((lane & 7) == 0 && query < QUERIES) work.group_best[(size_t)query * work.groups_stride + group] = best;
        }
    }
};

template <class Sums> __device__ __forceinline__ void score_tiles(const Search& work, unsigned* ticket, int mergers, float* shared) {
    static_assert(STAGES >= 1, "shared_memory_kb too small for 32 bytes of every row and of one step of queries");
    const int workers = gridDim.x - ANSWERERS;
    if (ANSWERERS && blockIdx.x >= workers) {
        answer_ready(work, TileRows{}, ticket, workers, shared);
        return;
    }
    const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
    const int warp_q = warp % SHAPE.warps_q, warp_r = warp / SHAPE.warps_q;
    const bool busy = warp < SHAPE.warps_q * SHAPE.warps_r;
    const unsigned stages = shared_address(shared);
    const int items = work.tiles * Q_TILES;
    TileSource from{(int)blockIdx.x, 0};
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) fetch_stage(work, from, items, workers, stages + s * STAGE_BYTES);
    int slot = 0;
    for (int item = blockIdx.x; item < items; item += workers) {
        Sums sums;
        sums.clear();
#pragma unroll 1
        for (int step = 0; step < STEPS; step++) {
            if constexpr (STAGES > 1) wait_copies<STAGES - 2>();
            __syncthreads();
            const int free_slot = slot == 0 ? STAGES - 1 : slot - 1;
            fetch_stage(work, from, items, workers, stages + free_slot * STAGE_BYTES);
            if constexpr (STAGES == 1) {
                wait_copies<0>();
                __syncthreads();
            }
            if (busy) sums.add(stages + slot * STAGE_BYTES, warp_q, warp_r, lane);
            slot = slot + 1 == STAGES ? 0 : slot + 1;
        }
        if (busy) {
            const int tile = item / Q_TILES;
            sums.store(work, tile * TILE_SIZE + warp_r * GROUP_ROWS,
                       item % Q_TILES * SHAPE.queries + warp_q * SHAPE.each * UNIT, tile * SHAPE.warps_r + warp_r, lane);
        }
    }
    wait_copies<0>();
    __syncthreads();
    if constexpr (ANSWERERS == 0) merge(work, TileRows{}, ticket, mergers, shared);
    else if (threadIdx.x == 0) finish_block_silently(ticket);
}

// One or two queries: every warp streams whole rows through its own ring in shared memory, the query in registers.
// Bound by memory; shared_memory_kb is the number of bytes that a block keeps in flight.
#pragma once
#include "select.cuh"

constexpr int RING = least(64, SHARED_BYTES / (WARPS * 512));   // chunks of 512 bytes in flight, for each warp
constexpr int WARP_ROWS = TILE_SIZE / WARPS;

// Tiles go round the blocks; a group is everything that one block scored.
struct StreamRows {
    int tiles;
    __device__ __forceinline__ int length() const { return parts(tiles, gridDim.x) * TILE_SIZE; }
    __device__ __forceinline__ int row(int group, int place) const {
        return (group + place / TILE_SIZE * (int)gridDim.x) * TILE_SIZE + place % TILE_SIZE;
    }
};

// Where the next copy of this warp comes from.
struct StreamSource {
    const char* next;
    int tile, row, chunk;
};

__device__ __forceinline__ void fetch_chunk(const Search& work, StreamSource& from, unsigned target, int warp, int lane) {
    if (from.row < work.corpus_size) {
        const bool inside = ROW_BYTES % 512 == 0 || from.chunk * 512 + lane * 16 < ROW_BYTES;
        copy_async(target, inside ? from.next : work.corpus, inside);
    }
    commit_copies();
    from.next += 512;
    if (++from.chunk == ROW_CHUNKS) {
        from.chunk = 0;
        from.next += ROW_BYTES - ROW_CHUNKS * 512;
        from.row++;
        if (from.row == from.tile * TILE_SIZE + (warp + 1) * WARP_ROWS) {
            from.tile += gridDim.x;
            from.row = from.tile * TILE_SIZE + warp * WARP_ROWS;
            from.next = work.corpus + (size_t)from.row * ROW_BYTES + lane * 16;
        }
    }
}

__device__ __forceinline__ void load_queries(const Search& work, float (&query)[QUERIES][ROW_CHUNKS][VECTOR], int lane) {
#pragma unroll
    for (int q = 0; q < QUERIES; q++)
#pragma unroll
        for (int c = 0; c < ROW_CHUNKS; c++) {
            uint4 bits = make_uint4(0, 0, 0, 0);
            if (c * 512 + lane * 16 < ROW_BYTES)
                bits = __ldg(reinterpret_cast<const uint4*>(work.query_rows + (size_t)q * ROW_BYTES + c * 512) + lane);
            widen(bits, query[q][c]);
        }
}

__device__ __forceinline__ void stream(Search& work, unsigned* ticket, int mergers, float* shared) {
    static_assert(RING >= 1 && TILE_SIZE % WARPS == 0, "shared_memory_kb too small for 512 bytes a warp");
    const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
    const unsigned ring = shared_address(shared) + warp * RING * 512 + lane * 16;
    StreamSource from;
    from.tile = blockIdx.x;
    from.row = from.tile * TILE_SIZE + warp * WARP_ROWS;
    from.chunk = 0;
    from.next = work.corpus + (size_t)from.row * ROW_BYTES + lane * 16;
#pragma unroll 1
    for (int i = 0; i < RING; i++) fetch_chunk(work, from, ring + i * 512, warp, lane);
    float query[QUERIES][ROW_CHUNKS][VECTOR];
    load_queries(work, query, lane);
    float best[QUERIES];
#pragma unroll
    for (int q = 0; q < QUERIES; q++) best[q] = NOTHING;
    unsigned slot = ring;
    for (int tile = blockIdx.x; tile < work.tiles; tile += gridDim.x) {
#pragma unroll 1
        for (int r = 0; r < WARP_ROWS; r++) {
            const int row = tile * TILE_SIZE + warp * WARP_ROWS + r;
            if (row >= work.corpus_size) break;
            float sum[QUERIES][VECTOR] = {};
#pragma unroll
            for (int c = 0; c < ROW_CHUNKS; c++) {
                wait_copies<RING - 1>();
                float x[VECTOR];
                widen(load_shared(slot), x);
                fetch_chunk(work, from, slot, warp, lane);
                slot += 512;
                if (slot == ring + RING * 512) slot = ring;
#pragma unroll
                for (int q = 0; q < QUERIES; q++)
#pragma unroll
                    for (int i = 0; i < VECTOR; i++) sum[q][i] = fmaf(x[i], query[q][c][i], sum[q][i]);
            }
#pragma unroll
            for (int q = 0; q < QUERIES; q++) {
                float score = 0;
#pragma unroll
                for (int i = 0; i < VECTOR; i++) score += sum[q][i];
                score = warp_sum(score);
                best[q] = fmaxf(best[q], score);
                if (lane == 0) work.partial_scores[(size_t)q * work.stride + row] = score;
            }
        }
    }
    wait_copies<0>();
    __syncthreads();
#pragma unroll
    for (int q = 0; q < QUERIES; q++) if (lane == 0) shared[q * WARPS + warp] = best[q];
    __syncthreads();
    if (threadIdx.x < QUERIES) {
        float all = NOTHING;
#pragma unroll
        for (int w = 0; w < WARPS; w++) all = fmaxf(all, shared[threadIdx.x * WARPS + w]);
        work.group_best[(size_t)threadIdx.x * work.groups + blockIdx.x] = all;
    }
    merge(work, StreamRows{work.tiles}, ticket, mergers, shared);
}

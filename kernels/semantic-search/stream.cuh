// One query: every warp streams whole rows through its own ring in shared memory, the query in registers.
// Bound by memory; shared_memory_kb is the number of bytes that a block keeps in flight.
#pragma once
#include "select.cuh"

constexpr int RING = least(64, SHARED_BYTES / (WARPS * 512));   // chunks of 512 bytes in flight, for each warp
constexpr int WARP_ROWS = TILE_SIZE / WARPS;

// Tiles go round the blocks; a group is everything that one block scored.  The last block scores nothing.
struct StreamRows {
    static constexpr int SPAN = TILE_SIZE;
    int tiles;
    __device__ __forceinline__ int spans() const { return parts(tiles, (int)gridDim.x - 1); }
    __device__ __forceinline__ int first(int group, int span) const { return (group + span * ((int)gridDim.x - 1)) * TILE_SIZE; }
};

// Where the next copy of this warp comes from.
struct StreamSource {
    const char* next;
    int tile, row, chunk;
};

__device__ __forceinline__ void fetch_chunk(const Search& work, StreamSource& from, unsigned target, int warp, int lane) {
    if (from.row < work.corpus_size) {
        const bool inside = ROW_BYTES % 512 == 0 || from.chunk * 512 + lane * 16 < ROW_BYTES;
        copy_async<false>(target, inside ? from.next : work.corpus, inside);
    }
    commit_copies();
    from.next += 512;
    if (++from.chunk == ROW_CHUNKS) {
        from.chunk = 0;
        from.next += ROW_BYTES - ROW_CHUNKS * 512;
        from.row++;
        if (from.row == from.tile * TILE_SIZE + (warp + 1) * WARP_ROWS) {
            from.tile += gridDim.x - 1;
            from.row = from.tile * TILE_SIZE + warp * WARP_ROWS;
            from.next = work.corpus + (size_t)from.row * ROW_BYTES + lane * 16;
        }
    }
}

__device__ __forceinline__ void load_query(const Search& work, float (&query)[ROW_CHUNKS][VECTOR], int lane) {
#pragma unroll
    for (int c = 0; c < ROW_CHUNKS; c++) {
        uint4 bits = make_uint4(0, 0, 0, 0);
        if (c * 512 + lane * 16 < ROW_BYTES) bits = __ldg(reinterpret_cast<const uint4*>(work.query_rows + c * 512) + lane);
        widen(bits, query[c]);
    }
}

__device__ __forceinline__ void score_stream(const Search& work, unsigned* ticket, float* shared) {
    static_assert(QUERIES > 1 || (RING >= 1 && TILE_SIZE % WARPS == 0), "shared_memory_kb too small for 512 bytes a warp");
    const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
    const unsigned ring = shared_address(shared) + warp * RING * 512 + lane * 16;
    StreamSource from;
    from.tile = blockIdx.x;
    from.row = from.tile * TILE_SIZE + warp * WARP_ROWS;
    from.chunk = 0;
    from.next = work.corpus + (size_t)from.row * ROW_BYTES + lane * 16;
#pragma unroll 1
    for (int i = 0; i < RING; i++) fetch_chunk(work, from, ring + i * 512, warp, lane);
    float query[ROW_CHUNKS][VECTOR];
    load_query(work, query, lane);
    float best = NOTHING;
    unsigned slot = ring;
    for (int tile = blockIdx.x; tile < work.tiles; tile += gridDim.x - 1) {
#pragma unroll 1
        for (int r = 0; r < WARP_ROWS; r++) {
            const int row = tile * TILE_SIZE + warp * WARP_ROWS + r;
            if (row >= work.corpus_size) break;
            float sum[VECTOR] = {};
#pragma unroll
            for (int c = 0; c < ROW_CHUNKS; c++) {
                wait_copies<RING - 1>();
                float x[VECTOR];
                widen(load_shared(slot), x);
                fetch_chunk(work, from, slot, warp, lane);
                slot += 512;
                if (slot == ring + RING * 512) slot = ring;
#pragma unroll
                for (int i = 0; i < VECTOR; i++) sum[i] = fmaf(x[i], query[c][i], sum[i]);
            }
            float score = 0;
#pragma unroll
            for (int i = 0; i < VECTOR; i++) score += sum[i];
            score = warp_sum(score);
            best = fmaxf(best, score);
            if (lane == 0) work.partial_scores[row] = score;
        }
    }
    wait_copies<0>();
    __syncthreads();
    if (lane == 0) shared[warp] = best;
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll
        for (int w = 1; w < WARPS; w++) best = fmaxf(best, shared[w]);
        work.group_best[blockIdx.x] = best;
        finish_block_silently(ticket);
    }
}

__device__ __forceinline__ void stream(const Search& work, unsigned* ticket, float* shared) {
    const int workers = gridDim.x - 1;
    if (blockIdx.x < workers) score_stream(work, ticket, shared);
    else answer_ready(work, StreamRows{work.tiles}, ticket, workers, shared);
}

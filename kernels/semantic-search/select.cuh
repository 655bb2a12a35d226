// The top k of all scores: first the groups whose best row is among the k best, then the rows in those groups.
// No row of the answer can lie elsewhere, so the work does not depend on the order of the corpus.
#pragma once
#include "common.cuh"

// tf32 keeps a few candidates more than asked; float32 then decides.
constexpr int KEPT = RESCORE ? most(K, least(K + 6, K <= 32 ? 32 : 96)) : K;
constexpr int LISTS = parts(KEPT, 32);
constexpr int SHELF = 64 + KEPT;   // words of shared memory for one warp while it ranks
static_assert(WARPS * SHELF * 4 <= SHARED_BYTES, "shared_memory_kb too small to rank k rows in every warp");
constexpr int BATCH = 16;     // values of one lane in flight
constexpr int SLOW_BATCH = KEPT > 32 ? 16 : 4;

struct Ranked {
    float value[LISTS];       // place p of the ranking is in lane p % 32 of list p / 32
    int id[LISTS];
};

__device__ __forceinline__ int rank_in_warp(float v, int lane) {
    int rank = 0;
#pragma unroll 8
    for (int i = 0; i < 32; i++) {
        const int other_lane = lane ^ i;
        const float other = __shfl_xor_sync(ALL, v, i);
        rank += other > v || (other == v && other_lane < lane);
    }
    return rank;
}

__device__ __forceinline__ void insert(Ranked& list, float& bar, float v, int id, int lane) {
    int place = 0;
#pragma unroll
    for (int j = 0; j < LISTS; j++) place += __popc(__ballot_sync(ALL, list.value[j] >= v));
#pragma unroll
    for (int j = LISTS - 1; j >= 0; j--) {
        float value = __shfl_up_sync(ALL, list.value[j], 1);
        int below = __shfl_up_sync(ALL, list.id[j], 1);
        if (j > 0) {
            const float carried = __shfl_sync(ALL, list.value[j > 0 ? j - 1 : 0], 31);
            const int carried_id = __shfl_sync(ALL, list.id[j > 0 ? j - 1 : 0], 31);
            if (lane == 0) { value = carried; below = carried_id; }
        }
        const int mine = j * 32 + lane;
        if (mine > place) { list.value[j] = value; list.id[j] = below; }
        if (mine == place) { list.value[j] = v; list.id[j] = id; }
    }
    bar = __shfl_sync(ALL, list.value[(KEPT - 1) / 32], (KEPT - 1) % 32);
}

// Every value one after the other: always right, and taken only when many values tie or k > 32.
template <class Values> __device__ __forceinline__ Ranked rank_slowly(Values values, int lane) {
    Ranked list;
#pragma unroll
    for (int j = 0; j < LISTS; j++) { list.value[j] = NOTHING; list.id[j] = -1; }
    float bar = NOTHING;
    for (values.start(); !values.done(); ) {
        float v[SLOW_BATCH];
        Values ids = values;
#pragma unroll
        for (int u = 0; u < SLOW_BATCH; u++) { v[u] = values.score(lane); values.step(); }
#pragma unroll 1
        for (int u = 0; u < SLOW_BATCH; u++) {
            float mine = NOTHING;
            const int mine_id = ids.id(lane);
            ids.step();
#pragma unroll
            for (int s = 0; s < SLOW_BATCH; s++) if (s == u) mine = v[s];
            for (unsigned waiting = __ballot_sync(ALL, mine > bar); waiting; ) {
                const int source = __ffs(waiting) - 1;
                insert(list, bar, __shfl_sync(ALL, mine, source), __shfl_sync(ALL, mine_id, source), lane);
                waiting &= waiting - 1;
                waiting &= __ballot_sync(ALL, mine > bar);
            }
        }
    }
    return list;
}

// The KEPT best of `values` in order, by one warp.  The KEPT-th best of the 32 lanes' own maxima is a lower
// bound of the KEPT-th best of all; about a dozen values reach it, and 32 of them are ranked at once.
template <class Values> __device__ __forceinline__ Ranked rank(Values values, float* shelf, int lane) {
    Ranked list;
    if constexpr (KEPT <= 32) {
        float v[BATCH];
        int batches = 0;
        float mine = NOTHING;
        for (values.start(); !values.done(); batches++) {
#pragma unroll
            for (int u = 0; u < BATCH; u++) { v[u] = values.score(lane); values.step(); }
#pragma unroll
            for (int u = 0; u < BATCH; u++) mine = fmaxf(mine, v[u]);
        }
        const unsigned holder = __ballot_sync(ALL, rank_in_warp(mine, lane) == KEPT - 1);
        const float bound = __shfl_sync(ALL, mine, __ffs(holder) - 1);
        int found = 0;
        int* shelf_ids = reinterpret_cast<int*>(shelf + 32);
        for (values.start(); !values.done() && found <= 32; ) {
            if (batches > 1) {
                Values again = values;
#pragma unroll
                for (int u = 0; u < BATCH; u++) { v[u] = again.score(lane); again.step(); }
            }
#pragma unroll
            for (int u = 0; u < BATCH; u++) {
                const bool keep = v[u] >= bound && v[u] > NOTHING;
                const unsigned keepers = __ballot_sync(ALL, keep);
                const int place = found + __popc(keepers & ((1u << lane) - 1));
                if (keep && place < 32) { shelf[place] = v[u]; shelf_ids[place] = values.id(lane); }
                values.step();
                found += __popc(keepers);
            }
        }
        __syncwarp();
        if (found <= 32) {
            const float value = lane < found ? shelf[lane] : NOTHING;
            const int kept = lane < found ? shelf_ids[lane] : -1;
            const int place = rank_in_warp(value, lane);
            __syncwarp();
            shelf[place] = value;
            shelf_ids[place] = kept;
            __syncwarp();
            list.value[0] = shelf[lane];
            list.id[0] = shelf_ids[lane];
            __syncwarp();
            return list;
        }
    }
    return rank_slowly(values, lane);
}

// The best score of each group, of one query.
struct GroupBests {
    const float* best;
    int groups, at;
    __device__ __forceinline__ void start() { at = 0; }
    __device__ __forceinline__ bool done() const { return at >= groups; }
    __device__ __forceinline__ void step() { at += 32; }
    __device__ __forceinline__ int id(int lane) const { return at + lane; }
    __device__ __forceinline__ float score(int lane) const { return id(lane) < groups ? __ldcg(best + id(lane)) : NOTHING; }
};

// The scores of all rows in the chosen groups, of one query.  `Rows` says which rows a group has; the chosen
// groups lie on this warp's shelf.
template <class Rows> struct RowScores {
    const float* all;
    const int* chosen;
    Rows rows;
    int count, corpus_size, group, offset;
    __device__ __forceinline__ void start() { group = 0; offset = 0; }
    __device__ __forceinline__ bool done() const { return group >= count; }
    __device__ __forceinline__ void step() {
        offset += 32;
        if (offset >= rows.length()) { offset = 0; group++; }
    }
    __device__ __forceinline__ int id(int lane) const {
        const int which = chosen[least(group, KEPT - 1)];
        return which < 0 ? -1 : rows.row(which, offset + lane);
    }
    __device__ __forceinline__ float score(int lane) const {
        const int row = id(lane);
        const bool there = group < count && row >= 0 && offset + lane < rows.length() && row < corpus_size;
        return there ? __ldcg(all + row) : NOTHING;
    }
};

// Exact float32 inner products for the candidates that the tensor cores found.
__device__ __forceinline__ void rescore(const Search& work, int query, Ranked& list, float* shelf, int lane) {
    const float4* wanted = reinterpret_cast<const float4*>(work.query_rows + (size_t)query * ROW_BYTES);
    constexpr int PAIRS = parts(DIMS, 128);
    float4 mine[PAIRS];
#pragma unroll
    for (int c = 0; c < PAIRS; c++)
        mine[c] = c * 128 + lane * 4 < DIMS ? __ldg(wanted + c * 32 + lane) : make_float4(0, 0, 0, 0);
#pragma unroll
    for (int j = 0; j < LISTS; j++) {
#pragma unroll 4
        for (int i = 0; i < least(32, KEPT - j * 32); i++) {
            const int row = __shfl_sync(ALL, list.id[j], i);
            float sum = 0;
            if (row >= 0) {
                const float4* candidate = reinterpret_cast<const float4*>(work.corpus + (size_t)row * ROW_BYTES);
#pragma unroll
                for (int c = 0; c < PAIRS; c++) {
                    if (c * 128 + lane * 4 < DIMS) {
                        const float4 x = __ldg(candidate + c * 32 + lane);
                        sum += x.x * mine[c].x + x.y * mine[c].y + x.z * mine[c].z + x.w * mine[c].w;
                    }
                }
            }
            sum = warp_sum(sum);
            if (lane == i) list.value[j] = row >= 0 ? sum : NOTHING;
        }
    }
}

// A ranked list once more in order, after its values changed.
__device__ __forceinline__ void write_answer(const Search& work, int query, Ranked& list, int lane) {
    float* scores = work.scores + (size_t)query * K;
    int* indices = work.indices + (size_t)query * K;
#pragma unroll
    for (int j = 0; j < LISTS; j++) {
        int place = j * 32 + lane;
        if constexpr (RESCORE) {
            place = 0;
#pragma unroll
            for (int h = 0; h < LISTS; h++)
                for (int i = 0; i < 32; i++) {
                    const float other = __shfl_sync(ALL, list.value[h], i);
                    place += other > list.value[j] || (other == list.value[j] && h * 32 + i < j * 32 + lane);
                }
        }
        if (place < K && j * 32 + lane < KEPT) {
            scores[place] = list.value[j];
            indices[place] = list.id[j];
        }
    }
}

template <class Rows> __device__ __forceinline__ void answer(const Search& work, Rows rows, int query, float* shelf) {
    const int lane = threadIdx.x & 31;
    GroupBests bests{work.group_best + (size_t)query * work.groups, work.groups, 0};
    Ranked list = rank(bests, shelf, lane);
    int* chosen = reinterpret_cast<int*>(shelf) + 64;
#pragma unroll
    for (int j = 0; j < LISTS; j++)
        if (j * 32 + lane < KEPT) chosen[j * 32 + lane] = list.id[j];
    __syncwarp();
    const int count = least(KEPT, work.groups);
    RowScores<Rows> candidates{work.partial_scores + (size_t)query * work.stride, chosen, rows, count, work.corpus_size, 0, 0};
    list = rank(candidates, shelf, lane);
    if constexpr (RESCORE) rescore(work, query, list, shelf, lane);
    write_answer(work, query, list, lane);
}

// The last `mergers` blocks to finish share the queries; no block waits unless the ones it waits for run already
// or can run, because `mergers` is at most the number of multiprocessors.  `ticket` is left as it was found: zero.
template <class Rows> __device__ __forceinline__ void merge(const Search& work, Rows rows, unsigned* ticket, int mergers,
                                                            float* shared) {
    __shared__ int turn;
    const int team = least(least(mergers, QUERIES), gridDim.x);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) turn = (int)(atomicAdd(ticket, 1u) + team - gridDim.x);
    __syncthreads();
    const int member = turn;
    if (member < 0) return;
    if (threadIdx.x == 0 && member < team - 1) {
        unsigned seen = 0;
        do {
            asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(ticket) : "memory");
        } while (seen < gridDim.x);
    }
    __syncthreads();
    __threadfence();
    if (threadIdx.x == 0) {
        if (team == 1 || atomicAdd(ticket + 1, 1u) == team - 1) { ticket[1] = 0; ticket[0] = 0; }
    }
    const int warp = threadIdx.x / 32;
    for (int query = member + warp * team; query < QUERIES; query += WARPS * team)
        answer(work, rows, query, shared + warp * SHELF);
}

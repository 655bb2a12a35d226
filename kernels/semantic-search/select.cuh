// The top k of all scores: first the groups whose best row is among the k best, then the rows in those groups.
// No row of the answer can lie elsewhere, so the work does not depend on the order of the corpus.
// This code runs once, at the end, out of a cold instruction cache: short loops beat unrolled ones here.
#pragma once
#include "common.cuh"

// Where tensor cores round the inputs, a few more candidates are kept than asked; float32 then decides.
constexpr int KEPT = RESCORE ? most(K, least(K + 6, K <= 32 ? 32 : 96)) : K;
constexpr int LISTS = parts(KEPT, 32);
constexpr int SHELF = 65 + KEPT;   // words of shared memory for one warp while it ranks
static_assert(WARPS * SHELF * 4 <= SHARED_BYTES, "shared_memory_kb too small to rank k rows in every warp");

struct Ranked {
    float value[LISTS];       // place p of the ranking is in lane p % 32 of list p / 32
    int id[LISTS];
};

__device__ __forceinline__ float component(const float4& v, int i) {
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

// The KEPT-th largest of the 32 lanes' values.
__device__ __forceinline__ float kept_of_lanes(float v, int lane) {
    int rank = 0;
#pragma unroll 8
    for (int i = 0; i < 32; i++) {
        const float other = __shfl_xor_sync(ALL, v, i);
        rank += other > v || (other == v && (lane ^ i) < lane);
    }
    const unsigned holder = __ballot_sync(ALL, rank == KEPT - 1);
    return __shfl_sync(ALL, v, holder ? __ffs(holder) - 1 : 0);
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
template <class Values> __device__ __forceinline__ void rank_slowly(Ranked& list, const Values& values, int lane) {
#pragma unroll
    for (int j = 0; j < LISTS; j++) { list.value[j] = NOTHING; list.id[j] = -1; }
    float bar = NOTHING;
    const int units = values.units();
#pragma unroll 1
    for (int first = 0; first < units; first += 32) {
        const int id = values.first_id(first + lane);
        const float4 v = values.load(id);
#pragma unroll 1
        for (int c = 0; c < 4; c++) {
            const float mine = component(v, c);
            for (unsigned waiting = __ballot_sync(ALL, mine > bar); waiting; ) {
                const int source = __ffs(waiting) - 1;
                insert(list, bar, __shfl_sync(ALL, mine, source), __shfl_sync(ALL, id, source) + c, lane);
                waiting &= waiting - 1;
                waiting &= __ballot_sync(ALL, mine > bar);
            }
        }
    }
}

// The KEPT best of `values` in order, by one warp.  The KEPT-th best of the 32 lanes' own maxima is a lower
// bound of the KEPT-th best of all; about a dozen values reach it, and up to 32 of them are ranked at once.
template <class Values> __device__ __forceinline__ void rank(Ranked& list, const Values& values, float* shelf, int lane) {
    if constexpr (KEPT <= 32) {
        int* ids = reinterpret_cast<int*>(shelf + 32);
        int* found = reinterpret_cast<int*>(shelf + 64);
        if (lane == 0) *found = 0;
        const int units = values.units();
        float mine = NOTHING;
#pragma unroll 1
        for (int first = lane; first < units; first += 256) {
            float4 v[8];
#pragma unroll
            for (int u = 0; u < 8; u++) v[u] = values.load(values.first_id(first + u * 32));
#pragma unroll
            for (int u = 0; u < 8; u++) mine = fmaxf(mine, fmaxf(fmaxf(v[u].x, v[u].y), fmaxf(v[u].z, v[u].w)));
        }
        const float bound = kept_of_lanes(mine, lane);
        if (mine >= bound && mine > NOTHING) {          // a lane whose best is too small has nothing to add
#pragma unroll 1
            for (int unit = lane; unit < units; unit += 32) {
                const int id = values.first_id(unit);
                const float4 v = values.load(id);
#pragma unroll
                for (int c = 0; c < 4; c++) {
                    const float one = component(v, c);
                    if (one >= bound && one > NOTHING) {
                        const int place = atomicAdd(found, 1);
                        if (place < 32) { shelf[place] = one; ids[place] = id + c; }
                    }
                }
            }
        }
        __syncwarp();
        const int count = *found;
        if (count <= 32) {
            const float value = lane < count ? shelf[lane] : NOTHING;
            const int id = lane < count ? ids[lane] : -1;
            int place = lane < count ? 0 : lane;
            if (lane < count) {
#pragma unroll 4
                for (int i = 0; i < count; i++) place += shelf[i] > value || (shelf[i] == value && ids[i] < id);
            }
            __syncwarp();
            shelf[place] = value;
            ids[place] = id;
            __syncwarp();
            list.value[0] = shelf[lane];
            list.id[0] = ids[lane];
            __syncwarp();
            return;
        }
    }
    rank_slowly(list, values, lane);
}

__device__ __forceinline__ float4 four_of(const float* values, int id, int limit) {
    float4 v = make_float4(NOTHING, NOTHING, NOTHING, NOTHING);
    if (id >= 0 && id < limit) {
        v = *reinterpret_cast<const float4*>(values + id);
        if (id + 1 >= limit) v.y = NOTHING;
        if (id + 2 >= limit) v.z = NOTHING;
        if (id + 3 >= limit) v.w = NOTHING;
    }
    return v;
}

// The best score of each group, of one query, in units of four.
struct GroupBests {
    const float* best;
    int groups;
    __device__ __forceinline__ int units() const { return parts(groups, 4); }
    __device__ __forceinline__ int first_id(int unit) const { return unit * 4; }
    __device__ __forceinline__ float4 load(int id) const { return four_of(best, id, groups); }
};

// The scores of all rows in the chosen groups, of one query, in units of four.  `Rows` says which spans of rows
// a group has; the chosen groups lie on this warp's shelf, -1 where there are fewer.
template <class Rows> struct RowScores {
    const float* all;
    const int* chosen;
    Rows rows;
    int corpus_size;
    __device__ __forceinline__ int units() const { return rows.spans() * KEPT * (Rows::SPAN / 4); }
    __device__ __forceinline__ int first_id(int unit) const {
        const int piece = unit / (Rows::SPAN / 4), inside = unit % (Rows::SPAN / 4) * 4;
        const int group = chosen[piece % KEPT], span = piece / KEPT;
        return group < 0 || span >= rows.spans() ? -1 : rows.first(group, span) + inside;
    }
    __device__ __forceinline__ float4 load(int id) const { return four_of(all, id, corpus_size); }
};

// Exact float32 inner products for the candidates that the tensor cores found.
__device__ __forceinline__ void rescore(const Search& work, int query, Ranked& list, int lane) {
    const float4* wanted = reinterpret_cast<const float4*>(work.query_rows + (size_t)query * ROW_BYTES);
    float4 mine[ROW_CHUNKS];
#pragma unroll
    for (int c = 0; c < ROW_CHUNKS; c++)
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
                for (int c = 0; c < ROW_CHUNKS; c++) {
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

// Rescored lists are in a new order: the place of an entry is the number of better ones.
__device__ __forceinline__ void write_answer(const Search& work, int query, const Ranked& list, int lane) {
    float* scores = work.scores + (size_t)query * K;
    int* indices = work.indices + (size_t)query * K;
#pragma unroll
    for (int j = 0; j < LISTS; j++) {
        int place = j * 32 + lane;
        if constexpr (RESCORE) {
            place = 0;
#pragma unroll
            for (int h = 0; h < LISTS; h++)
#pragma unroll 8
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

// One query's answer, by one warp.
template <class Rows> __device__ __forceinline__ void answer(const Search& work, Rows rows, int query, float* shelf, int lane) {
    Ranked list;
    rank(list, GroupBests{work.group_best + (size_t)query * work.groups_stride, work.groups}, shelf, lane);
    int* chosen = reinterpret_cast<int*>(shelf) + 65;
#pragma unroll
    for (int j = 0; j < LISTS; j++)
        if (j * 32 + lane < KEPT) chosen[j * 32 + lane] = list.id[j];
    __syncwarp();
    rank(list, RowScores<Rows>{work.partial_scores + (size_t)query * work.stride, chosen, rows, work.corpus_size}, shelf, lane);
    if constexpr (RESCORE) rescore(work, query, list, lane);
    write_answer(work, query, list, lane);
}

// A count of finished blocks that also orders memory: what they wrote before is seen by who reads it after.
__device__ __forceinline__ unsigned finish_block(unsigned* ticket) {
    unsigned before;
    asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(ticket) : "memory");
    return before;
}

// The same without asking for the count, which saves the way back.
__device__ __forceinline__ void finish_block_silently(unsigned* ticket) {
    asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(ticket) : "memory");
}

__device__ __forceinline__ void wait_for_blocks(const unsigned* ticket, unsigned count) {
    unsigned seen;
    do {
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(ticket) : "memory");
    } while (seen < count);
}

// The last `mergers` blocks to finish share the queries; no block waits unless the ones it waits for run already
// or can run, because `mergers` is at most the number of multiprocessors.  `ticket` is left as it was found: zero.
template <class Rows> __device__ __forceinline__ void merge(const Search& work, Rows rows, unsigned* ticket, int mergers,
                                                            float* shared) {
    __shared__ int turn;
    const int team = least(least(mergers, QUERIES), gridDim.x);
    __syncthreads();
    if (threadIdx.x == 0) {
        turn = (int)(finish_block(ticket) + team - gridDim.x);
        if (turn >= 0) {
            if (turn < team - 1) wait_for_blocks(ticket, gridDim.x);
            if (team == 1 || finish_block(ticket + 1) == team - 1) { ticket[1] = 0; ticket[0] = 0; }
        }
    }
    __syncthreads();
    if (turn < 0) return;
    const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
#pragma unroll 1
    for (int query = turn + warp * team; query < QUERIES; query += WARPS * team)
        answer(work, rows, query, shared + warp * SHELF, lane);
}

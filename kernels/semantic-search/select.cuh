// The top k of all scores: first the groups whose best row is among the k best, then the rows in those groups.
// No row of the answer can lie elsewhere, so the work does not depend on the order of the corpus.
// This code runs once, at the end, out of a cold instruction cache: short loops beat unrolled ones here.
#pragma once
#include "common.cuh"

// Where tensor cores round the inputs, a few more candidates are kept than asked; float32 then decides.
constexpr int KEPT = RESCORE ? most(K, least(K + 6, K <= 32 ? 32 : 96)) : K;
constexpr int LISTS = parts(KEPT, 32);
constexpr int SHELF = (66 + KEPT) / 2 * 2;   // words of shared memory for one warp while it ranks: whole pairs
static_assert(WARPS * SHELF * 4 <= SHARED_BYTES, "shared_memory_kb too small to rank k rows in every warp");

struct Ranked {
    float value[LISTS];
    int id[LISTS];
    int place[LISTS];         // 0 is the best; a permutation of all lanes of all lists
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

// The KEPT best of `values`, by one warp, each with its place in the order.  The KEPT-th best of the 32 lanes' own
// maxima is a lower bound of the KEPT-th best of all; about a dozen values reach it, and up to 32 are ranked at once.
template <class Values> __device__ __forceinline__ void rank(Ranked& list, const Values& values, float* shelf, int lane) {
#pragma unroll
    for (int j = 0; j < LISTS; j++) list.place[j] = j * 32 + lane;
    if constexpr (KEPT <= 32) {
        float2* entries = reinterpret_cast<float2*>(shelf);
        int* found = reinterpret_cast<int*>(shelf + 64);
        if (lane == 0) *found = 0;
        const int units = values.units();
        float mine = NOTHING;
        float4 v[8];
#pragma unroll 1
        for (int first = lane; first < units + lane; first += 256) {
#pragma unroll
            for (int u = 0; u < 8; u++) v[u] = values.load(first + u * 32 < units ? values.first_id(first + u * 32) : -1);
#pragma unroll
            for (int u = 0; u < 8; u++) mine = fmaxf(mine, fmaxf(fmaxf(v[u].x, v[u].y), fmaxf(v[u].z, v[u].w)));
        }
        const float bound = kept_of_lanes(mine, lane);
        if (mine >= bound && mine > NOTHING) {          // a lane whose best is too small has nothing to add
#pragma unroll 1
            for (int first = lane; first < units; first += 256) {
                unsigned reached = 0;
#pragma unroll
                for (int u = 0; u < 8; u++) {
                    if (units > 256) v[u] = values.load(first + u * 32 < units ? values.first_id(first + u * 32) : -1);
#pragma unroll
                    for (int c = 0; c < 4; c++)
                        if (component(v[u], c) >= bound && component(v[u], c) > NOTHING) reached |= 1u << (u * 4 + c);
                }
                int place = reached ? atomicAdd(found, __popc(reached)) : 0;
#pragma unroll 1
                for (; reached; reached &= reached - 1, place++) {
                    const int bit = __ffs(reached) - 1;
                    const int id = values.first_id(first + bit / 4 * 32) + bit % 4;
                    if (place < 32) entries[place] = make_float2(values.one(id), __int_as_float(id));
                }
            }
        }
        __syncwarp();
        const int count = *found;
        if (count <= 32) {
            const float2 own = lane < count ? entries[lane] : make_float2(NOTHING, __int_as_float(-1));
            const int id = __float_as_int(own.y);
            int place = lane < count ? 0 : lane;
            if (lane < count) {
#pragma unroll 4
                for (int i = 0; i < count; i++) {
                    const float2 other = entries[i];
                    place += other.x > own.x || (other.x == own.x && __float_as_int(other.y) < id);
                }
            }
            list.value[0] = own.x;
            list.id[0] = id;
            list.place[0] = place;
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
    __device__ __forceinline__ float one(int id) const { return best[id]; }
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
    __device__ __forceinline__ float one(int id) const { return all[id]; }
};

// Exact float32 inner products for the candidates that the tensor cores found, and their order by them.
__device__ __forceinline__ void rescore(const Search& work, int query, Ranked& list, int lane) {
    const float4* wanted = reinterpret_cast<const float4*>(work.query_rows + (size_t)query * ROW_BYTES);
#pragma unroll
    for (int j = 0; j < LISTS; j++) {
        if (list.place[j] >= KEPT) list.id[j] = -1;
        if (list.id[j] >= 0) {
            const char* candidate = work.corpus + (size_t)list.id[j] * ROW_BYTES;
#pragma unroll 4
            for (int byte = 0; byte < ROW_BYTES; byte += 128) asm volatile("prefetch.global.L2 [%0];" ::"l"(candidate + byte));
        }
    }
    float4 mine[ROW_CHUNKS];
#pragma unroll
    for (int c = 0; c < ROW_CHUNKS; c++)
        mine[c] = c * 128 + lane * 4 < DIMS ? __ldg(wanted + c * 32 + lane) : make_float4(0, 0, 0, 0);
#pragma unroll
    for (int j = 0; j < LISTS; j++) {
        float score = NOTHING;
        unsigned candidates = __ballot_sync(ALL, list.id[j] >= 0);
        while (candidates) {
            constexpr int AT_ONCE = 2;
            int source[AT_ONCE];
            float sum[AT_ONCE];
#pragma unroll
            for (int u = 0; u < AT_ONCE; u++) {
                source[u] = candidates ? __ffs(candidates) - 1 : -1;
                candidates &= candidates - 1;
                const int row = __shfl_sync(ALL, list.id[j], source[u] < 0 ? source[0] : source[u]);
                const float4* candidate = reinterpret_cast<const float4*>(work.corpus + (size_t)row * ROW_BYTES);
                sum[u] = 0;
#pragma unroll
                for (int c = 0; c < ROW_CHUNKS; c++) {
                    if (c * 128 + lane * 4 < DIMS) {
                        const float4 x = __ldg(candidate + c * 32 + lane);
                        sum[u] += x.x * mine[c].x + x.y * mine[c].y + x.z * mine[c].z + x.w * mine[c].w;
                    }
                }
            }
#pragma unroll
            for (int u = 0; u < AT_ONCE; u++) {
                sum[u] = warp_sum(sum[u]);
                if (lane == source[u]) score = sum[u];
            }
        }
        list.value[j] = score;
    }
#pragma unroll
    for (int j = 0; j < LISTS; j++) {
        int place = 0;
#pragma unroll
        for (int h = 0; h < LISTS; h++)
#pragma unroll 8
            for (int i = 0; i < 32; i++) {
                const float other = __shfl_sync(ALL, list.value[h], i);
                place += other > list.value[j] || (other == list.value[j] && h * 32 + i < j * 32 + lane);
            }
        list.place[j] = place;
    }
}

// One query's answer, by one warp.
template <class Rows> __device__ __forceinline__ void answer(const Search& work, Rows rows, int query, float* shelf, int lane) {
    Ranked list;
    rank(list, GroupBests{work.group_best + (size_t)query * work.groups_stride, work.groups}, shelf, lane);
    int* chosen = reinterpret_cast<int*>(shelf) + 65;
#pragma unroll
    for (int j = 0; j < LISTS; j++)
        if (list.place[j] < KEPT) chosen[list.place[j]] = list.id[j];
    __syncwarp();
    rank(list, RowScores<Rows>{work.partial_scores + (size_t)query * work.stride, chosen, rows, work.corpus_size}, shelf, lane);
    if constexpr (RESCORE) rescore(work, query, list, lane);
#pragma unroll
    for (int j = 0; j < LISTS; j++) {
        if (list.place[j] < K) {
            work.scores[(size_t)query * K + list.place[j]] = list.value[j];
            work.indices[(size_t)query * K + list.place[j]] = list.id[j];
        }
    }
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
        asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(ticket) : "memory");
    } while (seen < count);
    asm volatile("fence.acq_rel.gpu;" ::: "memory");
}

// The last blocks answer, and do nothing else.  They answer once before anything is known, over whatever the scratch
// holds, so that their instructions wait in the cache when the scores are there; the real answer overwrites that one.
// Blocks start in order, so that all they wait for run already.  `ticket` is left as it was found: zero.
template <class Rows> __device__ __forceinline__ void answer_ready(const Search& work, Rows rows, unsigned* ticket, int workers,
                                                                   float* shared) {
    const int lane = threadIdx.x & 31, warp = threadIdx.x / 32, first = (blockIdx.x - workers) * WARPS + warp;
#pragma unroll 1
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) wait_for_blocks(ticket, workers);
#pragma unroll 1
        for (int query = first; query < QUERIES; query += (gridDim.x - workers) * WARPS) {
            answer(work, rows, query, shared + warp * SHELF, lane);
            if (pass == 0) break;
        }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        if (gridDim.x - workers == 1) *ticket = 0;
        else if (finish_block(ticket + 1) == gridDim.x - workers - 1) { ticket[1] = 0; ticket[0] = 0; }
    }
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

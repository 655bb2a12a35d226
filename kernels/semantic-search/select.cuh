// The top k of all scores: first the groups whose best row is among the k best, then the rows in those groups.
// No row of the answer can lie elsewhere, so the work does not depend on the order of the corpus.
#pragma once
#include "rank.cuh"

// Few queries are answered by a whole block each.
constexpr bool TOGETHER = QUERIES < 32 && KEPT <= 32 && (BLOCK_SIZE + 2 + 4 * 32 + KEPT + 1) * 4 <= SHARED_BYTES;
static_assert(WARPS * SHELF * 4 <= SHARED_BYTES, "shared_memory_kb too small to rank k rows in every warp");

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

__device__ __forceinline__ void write_answer(const Search& work, int query, const Ranked& list) {
#pragma unroll
    for (int j = 0; j < LISTS; j++) {
        if (list.place[j] < K) {
            work.scores[(size_t)query * K + list.place[j]] = list.value[j];
            work.indices[(size_t)query * K + list.place[j]] = list.id[j];
        }
    }
}

// One query's answer, by one warp.
template <class Rows> __device__ __forceinline__ void answer(const Search& work, Rows rows, int query, float* shelf, int lane) {
    Ranked list;
    rank<false>(list, GroupBests{work.group_best + (size_t)query * work.groups_stride, work.groups}, NOTHING, shelf, lane);
    int* chosen = reinterpret_cast<int*>(shelf) + 65;
    // Each of the chosen groups has a row as good as its best: the last of these is a bound for the rows.
    const unsigned last = __ballot_sync(ALL, list.place[0] == KEPT - 1);
    const float bound = __shfl_sync(ALL, list.value[0], last ? __ffs(last) - 1 : 0);
#pragma unroll
    for (int j = 0; j < LISTS; j++)
        if (list.place[j] < KEPT) chosen[list.place[j]] = list.id[j];
    __syncwarp();
    const RowScores<Rows> candidates{work.partial_scores + (size_t)query * work.stride, chosen, rows, work.corpus_size};
    rank<true>(list, candidates, bound, shelf, lane);
    if constexpr (RESCORE) rescore(work, query, list, lane);
    write_answer(work, query, list);
}

// One query's answer, by a whole block; false where too many values tie, and `answer` must do it.
template <class Rows> __device__ __forceinline__ bool answer_together(const Search& work, Rows rows, int query, float* shared) {
    const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
    float* tops = shared;                                            // of every thread
    int* counts = reinterpret_cast<int*>(shared + BLOCK_SIZE);       // two
    const Reached groups{reinterpret_cast<float2*>(counts + 2), counts}, found{groups.entries + 32, counts + 1};
    int* chosen = reinterpret_cast<int*>(found.entries + 32);
    float* bar = reinterpret_cast<float*>(chosen + KEPT);
    const GroupBests bests{work.group_best + (size_t)query * work.groups_stride, work.groups};
    constexpr int AT_ONCE = most(1, 256 / BLOCK_SIZE);
    if (threadIdx.x < 2) counts[threadIdx.x] = 0;
    tops[threadIdx.x] = largest<AT_ONCE>(bests, threadIdx.x, BLOCK_SIZE);
    __syncthreads();
    float top = tops[lane];
#pragma unroll
    for (int w = 1; w < WARPS; w++) top = fmaxf(top, tops[w * 32 + lane]);
    collect<AT_ONCE>(bests, kept_of_lanes(top, lane), threadIdx.x, BLOCK_SIZE, groups);
    __syncthreads();
    if (*groups.count > 32) return false;
    Ranked list;
    if (warp == 0) {
        place_reached(list, groups, *groups.count, lane);
        if (list.place[0] < KEPT) chosen[list.place[0]] = list.id[0];
        if (list.place[0] == KEPT - 1) *bar = list.value[0];
    }
    __syncthreads();
    const RowScores<Rows> candidates{work.partial_scores + (size_t)query * work.stride, chosen, rows, work.corpus_size};
    collect<AT_ONCE>(candidates, *bar, threadIdx.x, BLOCK_SIZE, found);
    __syncthreads();
    if (*found.count > 32) return false;
    if (warp == 0) {
        place_reached(list, found, *found.count, lane);
        if constexpr (RESCORE) rescore(work, query, list, lane);
        write_answer(work, query, list);
    }
    return true;
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
    const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
    const int own = blockIdx.x - workers, first = TOGETHER ? own + warp * QUERIES : own * WARPS + warp;
#pragma unroll 1
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) wait_for_blocks(ticket, workers);
        if constexpr (TOGETHER) {
            __syncthreads();
            const bool done = answer_together(work, rows, own, shared);
            if (done || pass == 0) continue;
            __syncthreads();
        }
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
    int* told = reinterpret_cast<int*>(shared);   // no static shared memory: it would move the dynamic off its alignment
    const int team = least(least(mergers, QUERIES), gridDim.x);
    __syncthreads();
    if (threadIdx.x == 0) {
        const int turn = (int)(finish_block(ticket) + team - gridDim.x);
        if (turn >= 0) {
            if (turn < team - 1) wait_for_blocks(ticket, gridDim.x);
            if (team == 1 || finish_block(ticket + 1) == team - 1) { ticket[1] = 0; ticket[0] = 0; }
        }
        *told = turn;
    }
    __syncthreads();
    const int turn = *told;
    if (turn < 0) return;
    __syncthreads();
    const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
#pragma unroll 1
    for (int query = turn + warp * team; query < QUERIES; query += WARPS * team)
        answer(work, rows, query, shared + warp * SHELF, lane);
}

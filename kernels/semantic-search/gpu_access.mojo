"""What the GPU kernels say to the machine: asynchronous copies, shared memory by address, votes, counters between blocks."""

from std.sys import inlined_assembly, _RegisterPackType
from std.memory import bitcast
from max.gpu.memory import AddressSpace, external_memory
from max.gpu.primitives import warp

comptime Bytes = Pointer[UInt8, MutUntrackedOrigin]
comptime Floats = Pointer[Float32, MutUntrackedOrigin]
comptime Indices = Pointer[Int32, MutUntrackedOrigin]
comptime Counts = Pointer[UInt32, MutUntrackedOrigin]
comptime Stamps = Pointer[UInt64, MutUntrackedOrigin]
comptime Four = SIMD[DType.float32, 4]
comptime Words = SIMD[DType.uint32, 4]
comptime NOTHING = Float32.MIN
"""Minus infinity: below every score."""


def parts(a: Int, b: Int) -> Int:
    return (a + b - 1) // b


@always_inline
def parts32(a: Int32, b: Int32) -> Int32:
    return Int32(UInt32(a + b - 1) // UInt32(b))


@always_inline
def shared_base() -> UInt32:
    """Address of the dynamic shared memory."""
    return UInt32(Int(external_memory[Float32, address_space=AddressSpace.SHARED, alignment=128]()))


@always_inline
def copy_async[ahead: Bool](target: UInt32, source: Bytes, valid: Bool):
    """Sixteen bytes to shared memory, past registers and L1; zeros where not `valid`; `ahead` asks for 256 in L2."""
    var count = UInt32(16) if valid else UInt32(0)
    comptime if ahead:
        inlined_assembly[
            "cp.async.cg.shared.global.L2::256B [$0], [$1], 16, $2;", NoneType, constraints="r,l,r,~{memory}"
        ](target, source, count)
    else:
        inlined_assembly["cp.async.cg.shared.global [$0], [$1], 16, $2;", NoneType, constraints="r,l,r,~{memory}"](
            target, source, count
        )


@always_inline
def load_words(address: UInt32) -> Words:
    var r = inlined_assembly[
        "ld.shared.v4.u32 {$0, $1, $2, $3}, [$4];",
        _RegisterPackType[UInt32, UInt32, UInt32, UInt32],
        constraints="=r,=r,=r,=r,r,~{memory}",
    ](address)
    return Words(r[0], r[1], r[2], r[3])


@always_inline
def load_matrices(address: UInt32) -> Words:
    """Four 8 x 16-byte matrices, one row's address from each lane."""
    var r = inlined_assembly[
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {$0, $1, $2, $3}, [$4];",
        _RegisterPackType[UInt32, UInt32, UInt32, UInt32],
        constraints="=r,=r,=r,=r,r,~{memory}",
    ](address)
    return Words(r[0], r[1], r[2], r[3])


@always_inline
def load_shared(address: UInt32) -> UInt32:
    return inlined_assembly["ld.shared.u32 $0, [$1];", UInt32, constraints="=r,r,~{memory}"](address)


@always_inline
def store_shared(address: UInt32, value: UInt32):
    inlined_assembly["st.shared.u32 [$0], $1;", NoneType, constraints="r,r,~{memory}"](address, value)


@always_inline
def load_pair(address: UInt32) -> SIMD[DType.uint32, 2]:
    var r = inlined_assembly[
        "ld.shared.v2.u32 {$0, $1}, [$2];", _RegisterPackType[UInt32, UInt32], constraints="=r,=r,r,~{memory}"
    ](address)
    return SIMD[DType.uint32, 2](r[0], r[1])


@always_inline
def add_shared(address: UInt32, amount: UInt32) -> UInt32:
    """Adds; the sum before."""
    return inlined_assembly["atom.shared.add.u32 $0, [$1], $2;", UInt32, constraints="=r,r,r,~{memory}"](address, amount)


@always_inline
def prefetch(line: Bytes):
    inlined_assembly["prefetch.global.L2 [$0];", NoneType, constraints="l"](line)


@always_inline
def ballot(what: Bool) -> UInt32:
    return inlined_assembly[
        "{ .reg .pred p; setp.ne.u32 p, $1, 0; vote.sync.ballot.b32 $0, p, 0xffffffff; }", UInt32, constraints="=r,r"
    ](UInt32(1) if what else UInt32(0))


@always_inline
def least_of_lanes(v: Int32) -> Int32:
    return inlined_assembly["redux.sync.min.s32 $0, $1, 0xffffffff;", Int32, constraints="=r,r"](v)


@always_inline
def as_bits(v: Float32) -> UInt32:
    return bitcast[DType.uint32, 1](v)


@always_inline
def as_float(v: UInt32) -> Float32:
    return bitcast[DType.float32, 1](v)


@always_inline
def warp_sum(value: Float32) -> Float32:
    var v = value
    comptime for step in range(5):
        v += warp.shuffle_xor(v, UInt32(16 >> step))
    return v


@always_inline
def finish_block(ticket: Counts) -> UInt32:
    """Counts a finished block and orders memory: what was written before is seen by who reads the count."""
    return inlined_assembly["atom.acq_rel.gpu.global.add.u32 $0, [$1], 1;", UInt32, constraints="=r,l,~{memory}"](ticket)


@always_inline
def finish_block_silently(ticket: Counts):
    inlined_assembly["red.release.gpu.global.add.u32 [$0], 1;", NoneType, constraints="l,~{memory}"](ticket)


@always_inline
def wait_for_blocks(ticket: Counts, count: UInt32):
    var seen: UInt32 = 0
    while seen < count:
        seen = inlined_assembly["ld.relaxed.gpu.global.u32 $0, [$1];", UInt32, constraints="=r,l,~{memory}"](ticket)
    inlined_assembly["fence.acq_rel.gpu;", NoneType, constraints="~{memory}"]()


@always_inline
def nanoseconds() -> UInt64:
    return inlined_assembly["mov.u64 $0, %globaltimer;", UInt64, constraints="=l,~{memory}"]()


@always_inline
def multiprocessor() -> UInt32:
    return inlined_assembly["mov.u32 $0, %smid;", UInt32, constraints="=r,~{memory}"]()

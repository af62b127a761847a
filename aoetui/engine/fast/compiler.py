"""What the compiled functions stand on: numba, with a cache of its own; the C library by symbol; loads, stores and fences.

Symbols, not ctypes pointers: only so can numba cache what it compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from llvmlite import ir
from numba import carray, config, njit, types  # type: ignore[attr-defined]
from numba.core import cgutils
from numba.extending import intrinsic

from aoetui.engine.compiled_cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., Any]")

config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]


def compiled(function: _Function) -> _Function:
    """Compile a function when it is first called, or load it from the cache. It runs without the GIL."""
    return cast("_Function", njit(nogil=True, cache=True)(function))


def _symbol(name: str, result: Any, *arguments: Any) -> Any:
    return types.ExternalFunction(name, result(*arguments))


_int, _size, _address, _offset = types.int32, types.intp, types.intp, types.int64
c_poll = _symbol("poll", _int, _address, types.uint64, _int)
c_preadv2 = _symbol("preadv2", _size, _int, _address, _int, _offset, _int)
c_pwritev = _symbol("pwritev", _size, _int, _address, _int, _offset)
c_fdatasync = _symbol("fdatasync", _int, _int)
c_read = _symbol("read", _size, _int, _address, _size)
c_lseek = _symbol("lseek", _offset, _int, _offset, _int)
c_sendmmsg = _symbol("sendmmsg", _int, _int, _address, types.uint32, _int)
c_clock_gettime = _symbol("clock_gettime", _int, _int, _address)
c_eventfd_write = _symbol("eventfd_write", _int, _int, types.uint64)
c_lock = _symbol("pthread_mutex_lock", _int, _address)
c_unlock = _symbol("pthread_mutex_unlock", _int, _address)
c_condition_wait = _symbol("pthread_cond_wait", _int, _address, _address)
c_condition_signal = _symbol("pthread_cond_signal", _int, _address)
c_condition_broadcast = _symbol("pthread_cond_broadcast", _int, _address)
_errno_location: Any = types.ExternalFunction("__errno_location", types.CPointer(types.int32)())


@compiled
def errno_of() -> int:
    """The errno of this thread's last call."""
    return carray(_errno_location(), 1)[0]


def _intrinsic(define: Callable[..., Any]) -> Any:
    """A function that is compiled to what `define` says."""
    return intrinsic(define)


def _load(bits: int) -> Any:
    """Read a number of so many bits at an address, wherever it is aligned: an intrinsic function."""

    @_intrinsic
    def load(_typing: Any, _at: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            value = builder.load(pointer, align=1)
            return value if bits == 64 else builder.zext(value, ir.IntType(64))

        return (types.uint64 if bits == 64 else types.int64)(types.intp), generate

    return load


load8, load16, load32, load64 = _load(8), _load(16), _load(32), _load(64)
"""Unsigned; all but the last come as an int64."""


@_intrinsic
def store32(_typing: Any, _at: Any, _value: Any) -> Any:
    """Write the low 32 bits of a number at an address."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(32).as_pointer())
        builder.store(builder.trunc(arguments[1], ir.IntType(32)), pointer, align=1)
        return ir.Constant(ir.IntType(64), 0)

    return types.int64(types.intp, types.int64), generate


@_intrinsic
def copy_bytes(_typing: Any, _to: Any, _from: Any, _size: Any) -> Any:
    """Copy bytes from an address to another; the two do not overlap."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        cgutils.raw_memcpy(
            builder, builder.inttoptr(arguments[0], byte), builder.inttoptr(arguments[1], byte), arguments[2], itemsize=1
        )
        return context.get_constant(types.int64, 0)

    return types.int64(types.intp, types.intp, types.intp), generate


@_intrinsic
def fence(_typing: Any) -> Any:
    """Nothing that stands before is seen after what stands behind, by another processor or by the kernel."""

    def generate(_context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.fence("seq_cst")
        return ir.Constant(ir.IntType(64), 0)

    return types.int64(), generate

"""The kernel as an agent is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.errors import InputError
from tunetui_agent.messages import Argument, Implementation, KernelSpec, Launch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunetui.core.definitions import Kernel


def kernel_spec(kernel: Kernel, kind: str, names: Iterable[str]) -> KernelSpec:
    """The kernel as the agent knows it, with these implementations for one kind of device."""
    arguments = [
        # A table of dtypes is resolved for each trial's problem; the plain one here is what the rest falls back to.
        Argument(name=name, role=a.role, dtype=a.dtype if isinstance(a.dtype, str) else next(iter(a.dtype.values())))
        for name, a in kernel.arguments.items()
    ]
    implementations = [
        Implementation(
            name=name,
            language=definition.language,
            source=definition.source,
            parameters=list(definition.parameters),
            options=list(definition.options),
            launches=[Launch(entry=launch.entry, arguments=list(launch.arguments)) for launch in definition.launches],
            requires=list(definition.requires),
            baseline=definition.baseline,
        )
        for name in names
        if (definition := kernel.implementations[name].get(kind)) is not None
    ]
    if not implementations:
        raise InputError(f"kernel {kernel.name} has no implementation for a {kind}")
    return KernelSpec(
        name=kernel.name,
        reference=kernel.reference,
        files=dict(kernel.files),
        arguments=arguments,
        implementations=implementations,
    )

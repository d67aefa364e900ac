"""Muon for the kernels of a network, AdamW for all other parameters, as one optimiser."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch

SMALLEST_SIDE = 8
RMS = 0.2


class Muon(torch.optim.AdamW):
    """Steps along the momentum with all its singular values made about equal.

    A plain gradient of a kernel is ruled by few directions; the others, which tell finer
    things, are learnt slowly. Muon (Jordan et al. 2024) gives every direction the same length.
    torch's own class takes matrices only; here a kernel (C_out, C_in, ...) counts as the matrix
    (C_out, C_in ...). Steps are scaled to the root mean square of AdamW's (Liu et al. 2025), so
    that both share a learning rate. Kernels with fewer than 8 channels on a side (first layers,
    depthwise ones, heads), biases and norms are AdamW's.

    A step uses up the gradients of the kernels: they are None afterwards.

    Args:
        params: parameters.
        lr: learning rate.
        betas: of AdamW; ``OneCycleLR`` takes the first from 0.95 to 0.85 and back.
        weight_decay: decoupled, of both.
        momentum: of Muon.
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.98),
        weight_decay: float = 1e-4,
        momentum: float = 0.95,
    ) -> None:
        kernels: list[torch.Tensor] = []
        others: list[torch.Tensor] = []
        for parameter in params:
            is_kernel = parameter.ndim > 1 and min(parameter.shape[:2]) >= SMALLEST_SIDE
            (kernels if is_kernel else others).append(parameter)
        groups: list[dict[str, Any]] = [
            {"params": kernels, "momentum": momentum},
            {"params": others, "momentum": None},
        ]
        super().__init__(groups, lr=lr, betas=betas, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:  # type: ignore[override]
        """One step.

        Args:
            closure: evaluates the loss again, as for every optimiser of torch.

        Returns:
            what ``closure`` returns.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["momentum"] is not None:
                alike: dict[torch.Size, list[torch.Tensor]] = defaultdict(list)
                for kernel in group["params"]:
                    if kernel.grad is not None:
                        alike[kernel.flatten(1).shape].append(kernel)
                for kernels in alike.values():
                    self._step_kernels(kernels, group)
        super().step()
        return loss

    def _step_kernels(self, kernels: list[torch.Tensor], group: dict[str, Any]) -> None:
        """Step kernels of one shape together: a GPU waits for many small products."""
        updates = torch.stack([self._momentum(kernel, group["momentum"]) for kernel in kernels])
        scale = RMS * max(updates.shape[1:]) ** 0.5
        updates = orthogonalised(updates) * (group["lr"] * scale)
        for kernel, update in zip(kernels, updates, strict=True):
            kernel.mul_(1 - group["lr"] * group["weight_decay"])
            kernel.sub_(update.view_as(kernel))
            kernel.grad = None  # AdamW passes over it

    def _momentum(self, kernel: torch.Tensor, share: float) -> torch.Tensor:
        """Bring a kernel's momentum up to date; the step before it is made orthogonal, (n, m)."""
        state, gradient = self.state[kernel], kernel.grad
        assert gradient is not None
        if "momentum" not in state:
            state["step"] = torch.zeros(())  # AdamW looks for it when a state is loaded
            state["momentum"] = torch.zeros_like(kernel)
        state["step"] += 1
        state["momentum"].lerp_(gradient, 1 - share)
        return torch.lerp(gradient, state["momentum"], share).flatten(1)


def orthogonalised(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Bring all singular values near 1 and leave the singular vectors as they are.

    Args:
        matrix: (..., n, m).
        steps: of a Newton-Schulz iteration with the polynomial of Jordan et al. (2024), in
            bfloat16 as theirs.

    Returns:
        (..., n, m), singular values about 0.7 to 1.2.
    """
    wide = matrix.shape[-2] <= matrix.shape[-1]
    result = matrix if wide else matrix.mT
    result = (result / (result.norm(dim=(-2, -1), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(steps):
        gram = result @ result.mT
        result = 3.4445 * result + (-4.7750 * gram + 2.0315 * gram @ gram) @ result
    result = result.to(matrix.dtype)
    return result if wide else result.mT

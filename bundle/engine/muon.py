"""Muon for the kernels of a network, AdamW for all other parameters, as one optimiser."""

from __future__ import annotations

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
        betas: of AdamW.
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
                for kernel in group["params"]:
                    if kernel.grad is not None:
                        self._step_kernel(kernel, kernel.grad, group)
                        kernel.grad = None  # AdamW passes over it
        super().step()
        return loss

    def _step_kernel(
        self, kernel: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]
    ) -> None:
        state = self.state[kernel]
        if "momentum" not in state:
            state["step"] = torch.zeros(())  # AdamW looks for it when a state is loaded
            state["momentum"] = torch.zeros_like(kernel)
        state["step"] += 1
        momentum = state["momentum"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        update = orthogonalised(torch.lerp(gradient, momentum, group["momentum"]).flatten(1))
        kernel.mul_(1 - group["lr"] * group["weight_decay"])
        scale = RMS * max(update.shape) ** 0.5
        kernel.add_(update.view_as(kernel), alpha=-group["lr"] * scale)


def orthogonalised(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Bring all singular values near 1 and leave the singular vectors as they are.

    Args:
        matrix: (n, m).
        steps: of a Newton-Schulz iteration with the polynomial of Jordan et al. (2024).

    Returns:
        (n, m), singular values about 0.7 to 1.2.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    result = matrix if wide else matrix.T
    result = result / (result.norm() + 1e-7)
    for _ in range(steps):
        gram = result @ result.T
        result = 3.4445 * result + (-4.7750 * gram + 2.0315 * gram @ gram) @ result
    return result if wide else result.T

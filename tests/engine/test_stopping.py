"""Early stopping of a trainer by an evaluator's metric."""

from __future__ import annotations

import pytest
from ignite.engine import Engine, Events

from bundle.engine.stopping import EarlyStopping


def epochs_run(errors, patience):
    """Epochs of a run that validates after each of them."""
    trainer, evaluator = Engine(lambda e, b: None), Engine(lambda e, b: None)
    coming = iter(errors)

    @evaluator.on(Events.EPOCH_COMPLETED)
    def measure(engine):
        engine.state.metrics["EPE"] = next(coming)

    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    EarlyStopping(evaluator, patience, least=0.01).attach(trainer)
    ended = []
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: ended.append(True))
    trainer.run([0], max_epochs=len(errors))
    return len(ended)


@pytest.mark.parametrize(
    ("errors", "patience", "expected"),
    [
        ([5, 4, 3, 2, 1], 1, 5),
        ([5, 4, 4, 3, 2], 1, 3),
        ([5, 4, 4.5, 3, 3, 3, 1], 2, 6),
        ([5, 4.995, 4.992, 4.985], 2, 3),  # not better by a hundredth of a pixel
    ],
)
def test_a_run_ends_after_validations_that_are_not_better(errors, patience, expected):
    assert epochs_run(errors, patience) == expected

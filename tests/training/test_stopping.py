"""Early stopping of a trainer by an evaluator's metric."""

from __future__ import annotations

import pytest
from ignite.engine import Engine, Events

from bundle.training.stopping import EarlyStopping


def epochs_run(errors, patience, state=None):
    """Epochs of a run that validates after each of them, and the state of its handler."""
    trainer, evaluator = Engine(lambda e, b: None), Engine(lambda e, b: None)
    coming = iter(errors)

    @evaluator.on(Events.EPOCH_COMPLETED)
    def measure(engine):
        engine.state.metrics["EPE"] = next(coming)

    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    stopping = EarlyStopping(evaluator, patience)
    stopping.load_state_dict(state or stopping.state_dict())
    stopping.attach(trainer)
    ended = []
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: ended.append(True))
    trainer.run([0], max_epochs=len(errors))
    return len(ended), stopping.state_dict()


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
    assert epochs_run(errors, patience)[0] == expected


def test_a_resumed_run_counts_on(caplog):
    epochs, state = epochs_run([5, 4, 4], 2)
    assert epochs == 3 and state == {"best": 4, "waited": 1}
    epochs, state = epochs_run([4, 3, 2], 2, state)
    assert epochs == 1 and state["waited"] == 2
    assert epochs_run([1, 1], 2, state)[0] == 0  # it had stopped


def test_a_process_that_does_not_validate_says_nothing(monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr("bundle.training.stopping.any_process", lambda own: True)
    assert epochs_run([5, 4], 3)[0] < 2
    assert "no better EPE" not in caplog.text

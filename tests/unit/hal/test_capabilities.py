from __future__ import annotations

import pytest

from hal.capabilities import Motion, unsupported
from pipelines import registry


def test_names_the_targets_that_can() -> None:
    assert str(unsupported("shelf", "camera")) == "the target shelf has no camera; the targets that have: imx8, rt, sim"


def test_a_capability_that_nobody_has() -> None:
    assert 'unknown capability "microfone"' in str(unsupported("sim", "microfone")).replace("'", '"')
    assert 'did you mean "microphone"' in str(unsupported("sim", "microfone"))


def test_a_target_that_does_not_list_what_it_can_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "names", lambda _kind: ["other"])
    monkeypatch.setattr(registry, "load", lambda _kind, _name: object)
    assert "unknown capability" in str(unsupported("other", "camera"))


@pytest.mark.parametrize(
    ("channels", "message"), [(("ax",), "with its unit"), (("ax_g", "ax_g"), "each once"), ((), "at least one")]
)
def test_channels_have_a_unit_and_are_there_once(channels: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Motion(channels=channels)

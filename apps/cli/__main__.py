"""``python -m apps.cli`` is ``eiq-demo``."""

from __future__ import annotations


def main() -> None:
    """The command; Ctrl-C while it is still being imported ends it as quietly as later."""
    try:
        from apps.cli.main import main as eiq_demo
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    eiq_demo(prog_name="eiq-demo")


if __name__ == "__main__":
    main()

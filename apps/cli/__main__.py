"""``python -m apps.cli`` is ``eiq-demo``."""

from apps.cli.main import main

main(prog_name="eiq-demo")

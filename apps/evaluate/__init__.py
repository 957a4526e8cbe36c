"""How often a config is right on labelled data: ``eiq-demo evaluate``, and for programs::

from apps.evaluate import Asked, evaluate
report = evaluate("cifar10.yaml", "pictures", Asked(limit=500))
report.accuracy, report.to_dict()
"""

from apps.evaluate.evaluation import Asked, Stopped, evaluate
from apps.evaluate.report import Report

__all__ = ["Asked", "Report", "Stopped", "evaluate"]

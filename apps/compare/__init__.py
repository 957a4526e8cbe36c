"""One demo on several targets and engines, over the same input: ``eiq-demo compare``, and for programs::

from apps.compare import compare, variants
report = compare("cifar10.yaml", variants(engines="tflite,bundle"))
report.outcomes[1].bit_exact, report.to_dict()
"""

from apps.compare.comparison import compare
from apps.compare.report import Report
from apps.compare.variants import Variant, variants

__all__ = ["Report", "Variant", "compare", "variants"]

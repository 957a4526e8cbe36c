from apps.compare.comparison import _results
from pipelines.core import Result


def of(pipeline: str, label: str) -> Result:
    return Result(0.0, label, 1.0, pipeline=pipeline)


def test_results_differ_also_where_their_pipeline_alone_does() -> None:
    a = {"left": [of("left", "x"), of("left", "x")], "right": [of("right", "x")]}
    b = {"left": [of("left", "x")], "right": [of("right", "x"), of("right", "x")]}
    assert _results(a, a).same
    found = _results(a, b)
    assert (found.count, found.reference, found.same) == (3, 3, False)
    assert found.first == ("0.000 s left.x", "0.000 s right.x")
    assert _results({"": [of("", "x")]}, {"": []}).first == ("0.000 s x", "")

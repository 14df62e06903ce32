"""Benchmarks (`make bench`): vega and other packages, interleaved in one run.

`runners/` holds one script per competitor. Each runs in a process and an environment of its own, so
none of them imports from here. docs/performance.md says what is measured, and the results.
"""

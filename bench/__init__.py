"""The benchmarks (`make bench`): vega beside others, turn by turn in one run.

`runners/` holds one script per competitor; each runs in an environment and a process of its own, so
none of them imports from here. docs/performance.md says what is measured and what came out.
"""

"""One picture of all that the benchmarks found."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vega.files import atomic_write

OURS, THEIRS, GUIDE = "#2166ac", "#bbbbbb", "#555555"
OTHERS = {"authors' loop", "scvega", "expiMap", "linear scVI"}


def draw(found: dict[str, Any], folder: Path) -> None:
    """Write `bench.png` and `bench.pdf`."""
    figure, axes = plt.subplots(2, 3, figsize=(13, 6.4), layout="constrained")
    training, bayes_factor, memory = (found[k] for k in ("training", "bayes_factor", "memory"))
    _race(axes[0, 0], training, "Training: seconds per epoch")
    _race(axes[0, 1], bayes_factor, "Bayes factors: seconds for seven contrasts")
    peaks = {name: competitor["peak_mb"] for name, competitor in training["competitors"].items()}
    _bars(axes[0, 2], peaks, "Peak memory of that training, MB", "{:,.0f}")
    _scale(axes[1, 0], memory["repeats_seconds_per_cell"])
    _bars(axes[1, 1], memory["speed_from_disk"], "Speed from disk, relative to memory", "{:.2f}")
    _profile(axes[1, 2], memory["profile"]["seconds"])
    data, machine = training["data"], training["machine"]
    figure.suptitle(
        f"{data['cells']:,} simulated cells, {data['genes']:,} genes, {data['gmvs']} GMVs; "
        f"{machine['processor']}, {machine['cores']} cores"
        f"{', bfloat16' if machine['bfloat16'] else ''}",
        fontsize=11,
    )
    for suffix in ("png", "pdf"):
        with atomic_write(folder / f"bench.{suffix}") as temporary:
            figure.savefig(temporary, dpi=150)
    plt.close(figure)


def _race(axes: Axes, result: dict[str, Any], title: str) -> None:
    """Medians as bars, each repeat as a dot, and how many times as long as vega."""
    medians = result["median_seconds"]
    _bars(axes, medians, title, None)
    for place, name in enumerate(medians):
        repeats = result["repeats_seconds"][name][result["dropped_repeats"] :]
        axes.plot(repeats, [place] * len(repeats), ".", color="black", ms=4, zorder=3)
        ratio = result["speedup"].get(name)
        label = f"{medians[name]:.2f} s" + (f"  ({ratio:.1f}x)" if ratio else "")
        axes.annotate(
            label,
            (max(repeats), place),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xlim(0, 1.45 * max(max(r) for r in result["repeats_seconds"].values()))


def _bars(axes: Axes, values: dict[str, float], title: str, label: str | None) -> None:
    names = list(values)
    colours = [THEIRS if n in OTHERS else OURS for n in names]
    bars = axes.barh(range(len(names)), list(values.values()), color=colours, height=0.7)
    if label:
        axes.bar_label(bars, [label.format(v) for v in values.values()], padding=4, fontsize=8)
        axes.set_xlim(0, 1.25 * max(values.values()))
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    _tidy(axes, title)


def _scale(axes: Axes, repeats: dict[str, list[float]]) -> None:
    sizes = [int(size) for size in repeats]
    for size, seconds in zip(sizes, repeats.values(), strict=True):
        axes.plot([size] * len(seconds), [1e6 * s for s in seconds], ".", color=GUIDE, ms=5)
    axes.plot(sizes, [1e6 * median(s) for s in repeats.values()], "o-", color=OURS)
    axes.set_xscale("log")
    axes.set_ylim(0, None)
    axes.set_xlabel("cells of the study", fontsize=8)
    _tidy(axes, "Training: microseconds per cell")


def _profile(axes: Axes, seconds: dict[str, float]) -> None:
    total = sum(seconds.values())
    shares = {part: 100 * value / total for part, value in seconds.items()}
    _bars(axes, shares, "Where the time of a step goes, %", "{:.0f}")


def _tidy(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)

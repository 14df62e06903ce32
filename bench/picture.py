"""One picture of all that the benchmarks found."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from vega.files import atomic_write

OURS, THEIRS = "#2166ac", "#bbbbbb"
OTHERS = {"authors' loop", "scvega", "expiMap", "linear scVI"}


def draw(found: dict[str, Any], folder: Path) -> None:
    """Write `bench.png` and `bench.pdf`."""
    figure, axes = plt.subplots(2, 3, figsize=(13, 6.4), layout="constrained")
    training, bayes_factor, memory = (found[k] for k in ("training", "bayes_factor", "memory"))
    _times(axes[0, 0], training, "Training: seconds per epoch")
    _times(axes[0, 1], bayes_factor, "Bayes factors: seconds for seven contrasts")
    peaks = {name: competitor["peak_mb"] for name, competitor in training["competitors"].items()}
    _bars(axes[0, 2], peaks, "Peak memory of that training, MB", "{:,.0f}")
    per_cell = {f"{int(n):,} cells": t for n, t in memory["microseconds_per_cell"].items()}
    _bars(axes[1, 0], per_cell, "Training: microseconds per cell of a study", "{:.0f}")
    _bars(axes[1, 1], memory["speed_from_disk"], "Speed from disk, relative to memory", "{:.2f}")
    seconds = pd.Series(memory["profile"]["seconds"])
    shares = (100 * seconds / seconds.sum()).to_dict()
    _bars(axes[1, 2], shares, "Where the time of a step goes, %", "{:.0f}")
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


def _times(axes: Axes, result: dict[str, Any], title: str) -> None:
    """Draw medians as bars and repeats as dots; label how many times as long as vega each took."""
    medians = result["median_seconds"]
    _bars(axes, medians, title)
    counted = pd.DataFrame(result["repeats_seconds"])[result["dropped_repeats"] :]
    for name, repeats in counted.items():
        axes.plot(repeats, [name] * len(repeats), ".", color="black", ms=4)
        speedup = result["speedup"].get(name)
        label = f"{medians[name]:.2f} s" + (f"  ({speedup:.1f}x)" if speedup else "")
        axes.text(repeats.max(), name, f"   {label}", va="center", fontsize=8)
    axes.set_xlim(0, 1.45 * counted.max(axis=None))


def _bars(axes: Axes, values: dict[str, float], title: str, label: str = "") -> None:
    colours = [THEIRS if name in OTHERS else OURS for name in values]
    bars = axes.barh(list(values), list(values.values()), color=colours, height=0.7)
    axes.invert_yaxis()
    if label:
        axes.bar_label(bars, fmt=label, padding=4, fontsize=8)
        axes.set_xlim(0, 1.25 * max(values.values()))
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)

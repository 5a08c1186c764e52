"""Figures of verification: what each threshold accepts, and where the pairs lie."""

import numpy as np

from mobilenet.reports import canvas
from mobilenet.tasks.embeddings.verification import Verified

# Blue and orange are told apart by people with colour blindness, too.
SAME, DIFFERENT = '#0b5cad', '#d55e00'


def roc(verified: Verified):
  """A Figure of the ROC, with false accepts on a scale of powers of ten."""
  figure, axes = _axes('Accepted pairs at each threshold (ROC)')
  curve = verified.curve
  lowest = max(1e-4, float(curve.false_accepts[curve.false_accepts > 0].min()))
  axes.step(
    100 * np.maximum(curve.false_accepts, lowest / 2),
    100 * curve.true_accepts,
    where='post',
    color=SAME,
    linewidth=1.8,
  )
  for far, accepted in verified.true_accepts.items():
    if accepted is not None:
      axes.plot(100 * far, accepted, 'o', color=SAME, markersize=4)
  axes.set_xscale('log')
  axes.xaxis.set_major_formatter('{x:g}')
  axes.set(xlim=(100 * lowest / 2, 110), ylim=(-2, 102))
  axes.set_xlabel('Different pairs that are accepted: false accepts (%)', fontsize=9.5)
  axes.set_ylabel('Same pairs that are accepted (%)', fontsize=9.5)
  return figure


def distances(verified: Verified, same: np.ndarray):
  """A Figure with a histogram of the distances of same and of different pairs.

  Args:
    verified: what was measured.
    same: (P,) bool, of its pairs.
  """
  figure, axes = _axes('Distances of the pairs')
  highest = max(0.1, float(verified.distances.max()))
  bins = np.linspace(0, highest, 41)
  for kind, own, colour in (('same', same, SAME), ('different', ~same, DIFFERENT)):
    values = verified.distances[own]
    share = np.full(len(values), 100 / len(values))
    axes.hist(
      values, bins, weights=share, color=colour, alpha=0.55, label=f'{kind} pairs'
    )
  axes.axvline(
    verified.threshold, color='#1c2733', linestyle='--', linewidth=1, label='threshold'
  )
  axes.set_xlabel('Squared distance (0 alike, 4 opposite)', fontsize=9.5)
  axes.set_ylabel('Share of the pairs of a kind (%)', fontsize=9.5)
  axes.legend(fontsize=8, frameon=False)
  return figure


def _axes(title: str):
  figure = canvas.new_figure(4.6, 3.8)
  axes = figure.subplots()
  axes.set_title(title, loc='left', fontsize=10)
  axes.spines[['top', 'right']].set_visible(False)
  axes.grid(linewidth=0.4, color='#d8dade')
  axes.tick_params(labelsize=8.5)
  return figure, axes

"""The figure of a NetAdapt search, of made rows."""

from mobilenet.models import table
from mobilenet.reports import canvas
from mobilenet.search import costs
from mobilenet.search.strategies import netadapt_figure
from mobilenet.search.strategies.gauge import Gauge
from mobilenet.search.strategies.netadapt_report import Row
from mobilenet.tasks import Metric
from tests import tiny

GAUGE = Gauge(costs.make('multiply_adds', 32, 10), False, tiny.NETWORK, table.from_text)
METRIC = Metric('top1', 'Top-1 accuracy', '%')


def row(name, cost, top1):
  ends = (top1 - 3, top1 + 3)
  return Row(name, tiny.NETWORK, cost, cost, 9, 9, top1, *ends, 48, 4)


def test_networks_of_one_cost_stand_side_by_side():
  """Tuned and scratch are one network, and the family is narrowed to its cost."""
  rows = [
    row('start', 100.0, 60.0),
    row('tuned', 70.0, 59.0),
    row('uniform', 70.4, 58.0),
    row('scratch', 70.0, 59.0),
  ]
  accepted = [{'predicted_multiply_adds': 95.0 - n, 'top1': 70.0 + n} for n in range(9)]
  GAUGE.start_cost = 100.0
  figure = netadapt_figure.draw(rows, accepted, GAUGE, METRIC)
  assert canvas.png(figure)
  panel = figure.axes[0]
  marks = [bars.lines[0].get_xydata()[0] for bars in panel.containers]
  assert [round(x, 3) for x, _ in marks] == [1.0, 0.7, 0.712, 0.716]
  low, high = panel.get_xlim()
  assert all(low < x < high for x, _ in marks)
  labels = [text.get_text() for text in panel.get_legend().get_texts()]
  assert 'the start was not scored on these' in labels[0]
  assert labels[-1] == 'scratch, on the evaluation split'

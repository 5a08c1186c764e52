"""Collects the items of a sweep: a table for programs, one for people, one figure."""

import datetime
import pathlib
import shlex
import statistics
from collections.abc import Sequence

from mobilenet.reports import canvas, csv_file, markdown, terminal
from mobilenet.sweeps import figure as sweep_figure
from mobilenet.sweeps import scores
from mobilenet.sweeps.items import REPEATS, STATUSES, Item, locked, standing
from mobilenet.training import files

CSV_FILE, MARKDOWN_FILE, FIGURE_FILE = 'sweep.csv', 'sweep.md', 'sweep.png'
MEANS_FILE = 'sweep_means.csv'
LOCK_FILE = '.sweep.lock'
TABLE = 'model.table'  # the field

# Column of the tables -> field of a result.
_NUMBERS = {
  'loss': 'loss',
  'parameters': 'parameters',
  'multiply_adds': 'multiply_adds',
  'seconds': 'train_seconds',
  'images_per_second': 'images_per_second',
  'steps': 'steps',
}


_HEADS = (
  'loss',
  'parameters',
  'M multiply-adds',
  'steps',
  'training',
  'images/s',
  'status',
)


def write_tables(
  items: Sequence[Item],
  folder: pathlib.Path,
  *,
  title: str,
  command: Sequence[str],
  ignore: Sequence[str] = (),
) -> list[dict]:
  """Writes sweep.csv, sweep.md and sweep.png (and sweep_means.csv over seeds or folds).

  Several processes that collect at once take turns, so that the last one writes what
  all have done.

  Args:
    items: the whole sweep.
    folder: where the files go.
    title: of the table and the figure.
    command: what a person types to run the sweep.
    ignore: dotted fields of the config that may differ from a run in the folder.

  Returns:
    The rows; see `collect`.

  Raises:
    TrainingError: a file cannot be written.
  """
  with locked(folder / LOCK_FILE, wait=True):
    rows = collect(items, ignore)
    fields = swept_fields(items)
    means = over_seeds(rows, fields)
    told = [{k: v for k, v in row.items() if k != 'environment'} for row in rows]
    csv_file.write_records(folder / CSV_FILE, told)
    if means:
      csv_file.write_records(folder / MEANS_FILE, means)
    figure = sweep_figure.draw(rows, fields, title=title)
    if figure is not None:
      canvas.save_png(figure, folder / FIGURE_FILE)
    text = _markdown(rows, means, fields, title, command, items, figure is not None)
    files.replace_file(folder / MARKDOWN_FILE, text.encode())
  return rows


def swept_fields(items: Sequence[Item]) -> list[str]:
  """The dotted fields that the sweep sets, in its order."""
  return list(dict.fromkeys(field for item in items for field in item.overrides))


def collect(items: Sequence[Item], ignore: Sequence[str] = ()) -> list[dict]:
  """A row per item.

  The keys are index, item, status (one of `items.STATUSES`), the swept fields,
  metric (the name of what counts for the task, such as top1), it and raw_<metric> in
  percent, loss, parameters, multiply_adds, seconds (of training), images_per_second,
  steps, seed and reason. A number that is missing is None. The first is that of the
  averaged or the raw weights, whichever count. A network is told by its name, not by
  its rows.
  """
  fields = [field for field in swept_fields(items) if field not in REPEATS]
  networks = _network_names(items) if TABLE in fields else None
  rows, standings = [], [standing(item, ignore) for item in items]
  metric = scores.metric_of([now.result or {} for now in standings])
  for index, (item, now) in enumerate(zip(items, standings, strict=True)):
    ended = now.result or {}
    rows.append(
      {
        'index': index,
        'item': item.name,
        'status': now.status,
        **{
          field: networks[index] if field == TABLE else _value(item.config, field)
          for field in fields
        },
        'metric': metric,
        **{name: ended.get(name) for name in (metric, f'raw_{metric}')},
        **{name: ended.get(source) for name, source in _NUMBERS.items()},
        'seed': item.config.get('seed'),
        'reason': '; '.join(x.strip() for x in now.reason.splitlines()),
        'environment': ended.get('environment'),
      }
    )
  return rows


def _network_names(items: Sequence[Item]) -> list[str]:
  """Of each item that of its network; where several share a name, their files.

  A config keeps the rows of a network, 300 letters that nobody can tell apart.
  """
  networks = [item.config['model'] for item in items]
  tables: dict[str, list] = {}
  for network in networks:
    known = tables.setdefault(network['name'], [])
    if network['table'] not in known:
      known.append(network['table'])
  names = []
  for item, network in zip(items, networks, strict=True):
    name, rows, file = network['name'], network['table'], item.overrides.get(TABLE)
    if rows and len(tables[name]) > 1:
      is_file = file and '(' not in file
      name = file if is_file else f'{name} ({tables[name].index(rows) + 1})'
    names.append(name)
  return names


def over_seeds(rows: Sequence[dict], fields: Sequence[str]) -> list[dict]:
  """Mean and standard deviation (of a sample) of runs that differ by REPEATS alone.

  Returns:
    A row per setting of the other fields: those, n (runs that are done), of the metric
    top1_mean, top1_std, raw_top1_mean, raw_top1_std, or as it is called; [] if the
    sweep changes none of them.
  """
  if not set(fields) & set(REPEATS):
    return []
  others = [field for field in fields if field not in REPEATS]
  groups: dict[tuple, list[dict]] = {}
  for row in rows:
    groups.setdefault(tuple(row[field] for field in others), []).append(row)
  means, metric = [], scores.metric_of(rows)
  for key, group in groups.items():
    done = [row for row in group if row['status'] == 'done']
    mean = dict(zip(others, key, strict=True)) | {'n': len(done)}
    for name in (metric, f'raw_{metric}'):
      values = [row[name] for row in done if row[name] is not None]
      mean[f'{name}_mean'] = statistics.fmean(values) if values else None
      mean[f'{name}_std'] = statistics.stdev(values) if len(values) > 1 else None
    means.append(mean)
  return means


def show(rows: Sequence[dict], title: str, fields: Sequence[str] = ()) -> None:
  """Prints the status of every item, and means over the seeds or folds in `fields`."""
  metric = scores.metric_of(rows)
  head = (scores.in_words(metric), 'right')
  table = terminal.make_table(
    title, [('', 'right'), ('item', 'left'), head, ('status', 'left')]
  )
  for row in rows:
    status = row['status'] + (f': {row["reason"]}' if row['reason'] else '')
    style = 'red' if row['status'] == 'failed' else None
    terminal.add_row(
      table, row['index'], row['item'], _percent(row[metric]), status, style=style
    )
  terminal.show(table)
  print(count_statuses(rows))
  for mean in over_seeds(rows, fields):
    others = [f'{name}={mean[name]}' for name in fields if name in mean]
    about = ', '.join([f'{mean["n"]} done', *others])
    if mean[f'{metric}_std'] is not None:
      middle, spread = (mean[f'{metric}_{what}'] for what in ('mean', 'std'))
      print(f'mean of {about}: {_percent(middle)} ± {_percent(spread)}')


def count_statuses(rows: Sequence[dict]) -> str:
  """'14 of 16 done, 2 failed'."""
  counts = {s: sum(row['status'] == s for row in rows) for s in STATUSES}
  done = f'{counts.pop("done")} of {len(rows)} done'
  return ', '.join([done, *(f'{n} {status}' for status, n in counts.items() if n)])


def duration(seconds: float | None) -> str:
  """190 -> '3 min 10 s'."""
  if seconds is None:
    return ''
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  parts = ((hours, 'h'), (minutes, 'min'), (seconds, 's'))
  return ' '.join([f'{value} {unit}' for value, unit in parts if value][:2]) or '0 s'


def _value(config: dict, field: str):
  for name in field.split('.'):
    config = config[name]
  return config


def _markdown(rows, means, fields, title, command, items, has_figure) -> str:
  others = [field for field in fields if field not in REPEATS]
  metric = scores.metric_of(rows)
  name = scores.in_words(metric)
  now = datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d %H:%M UTC')
  total = sum(row['seconds'] or 0 for row in rows)
  parts = [
    f'# {title}',
    f'    {shlex.join(command)}',
    f'{now}: {count_statuses(rows)}; training took {duration(total)} in total.',
    *_environments(rows),
  ]
  if has_figure:
    parts.append(f'![{name} of the sweep]({FIGURE_FILE})')
  if means:
    heads = [*others, 'runs', f'{name}, mean', 'standard deviation', 'raw, mean', 'sd']
    cells = [
      [
        *(mean[field] for field in others),
        mean['n'],
        *(
          _percent(mean[f'{kind}{metric}_{of}'])
          for kind in ('', 'raw_')
          for of in ('mean', 'std')
        ),
      ]
      for mean in means
    ]
    parts += ['## Over seeds or folds', markdown.table(heads, cells, len(others))]
  parts += [
    '## Runs' if means else '',
    markdown.table(
      ['item', *others, 'seed', name, f'raw {name}', *_HEADS],
      [_cells(row, others, metric) for row in rows],
      1 + len(others),
    ),
    f'{name} is that of the raw or the averaged weights, whichever score better in the '
    f'last evaluation; raw {name} is that of the raw ones.',
  ]
  if unlike := [row for row in rows if row['reason']]:
    lines = [f'- {row["item"]}: {row["status"]}: {row["reason"]}' for row in unlike]
    parts += ['## Not done', '\n'.join(lines)]
  return '\n\n'.join(part for part in parts if part) + '\n'


def _cells(row: dict, others: Sequence[str], metric: str) -> list[str]:
  adds, rate, loss = row['multiply_adds'], row['images_per_second'], row['loss']
  return [
    row['item'],
    *(row[field] for field in others),
    row['seed'],
    _percent(row[metric]),
    _percent(row[f'raw_{metric}']),
    '' if loss is None else f'{loss:.4f}',
    '' if row['parameters'] is None else f'{row["parameters"]:,}',
    '' if adds is None else f'{adds / 1e6:,.2f}',
    '' if row['steps'] is None else f'{row["steps"]:,}',
    duration(row['seconds']),
    '' if rate is None else f'{rate:,.0f}',
    row['status'],
  ]


def _environments(rows: Sequence[dict]) -> list[str]:
  """What the runs were made with; more than one line if they differ."""
  seen = {}
  for row in rows:
    if where := row['environment']:
      revision = (where.get('git_revision') or 'none')[:10]
      modified = ' (modified)' if where.get('git_modified') else ''
      device = f'{where.get("device_count")} × {where.get("device_kind")}'
      versions = ', '.join(f'{p} {where.get(p)}' for p in ('jax', 'flax', 'optax'))
      line = (
        f'{device} ({where.get("cpu_count")} cores), Python {where.get("python")}, '
        f'{versions}, git revision {revision}{modified}'
      )
      seen.setdefault(line, []).append(row['item'])
  if len(seen) == 1:
    return [f'Run on {line}.' for line in seen]
  return [f'{", ".join(names)}: run on {line}.' for line, names in seen.items()]


def _percent(value: float | None) -> str:
  return '' if value is None else f'{value:.2f} %'

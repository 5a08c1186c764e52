"""Tables in the terminal that stay whole in a log."""

import rich.box
import rich.cells
import rich.console
import rich.measure
import rich.table
import rich.text


def make_table(title: str, columns) -> rich.table.Table:
  """An empty table; `columns` are (heading, 'left' or 'right').

  The title is plain text; square brackets in it are not markup.
  """
  table = rich.table.Table(
    title=rich.text.Text(title), title_justify='left', box=rich.box.HORIZONTALS
  )
  for heading, justify in columns:
    table.add_column(
      heading, justify=justify, no_wrap=justify == 'right', overflow='fold'
    )
  return table


def add_row(table: rich.table.Table, *cells, style: str | None = None) -> None:
  """Adds cells as plain text: a class may be called '[red]'."""
  table.add_row(*(rich.text.Text(str(cell)) for cell in cells), style=style)


def show(table: rich.table.Table, console: rich.console.Console | None = None) -> None:
  """Prints a table: within a terminal's width, or at its full width into a log."""
  console = console or rich.console.Console()
  if console.is_terminal:
    console.print(table)
    return
  wide = rich.console.Console(file=console.file, width=full_width(table, console))
  wide.print(table)


def full_width(table: rich.table.Table, console: rich.console.Console) -> int:
  """Columns of characters that `table` takes when nothing in it is wrapped."""
  unlimited = console.options.update(width=10_000)
  width = rich.measure.Measurement.get(console, unlimited, table).maximum
  return max(width, rich.cells.cell_len(str(table.title or '')))


def shorten(text: str, length: int) -> str:
  """At most `length` characters, the cut marked by an ellipsis."""
  return text if len(text) <= length else text[: length - 1].rstrip() + '…'

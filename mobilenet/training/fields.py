"""Reading a config section whose `name` picks one function of a table."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mobilenet.training.errors import TrainingError, require, unknown_name


def number(
  section: str,
  field: str,
  value: Any,
  *,
  above: float = -math.inf,
  low: float = -math.inf,
  high: float = math.inf,
  below: float = math.inf,
) -> float:
  """Returns `value` as a float if above < value, low <= value <= high, value < below.

  Raises:
    TrainingError: for anything else, NaN, infinity, strings and booleans included.
  """
  limits = (('above', above), ('at least', low), ('at most', high), ('below', below))
  bounds = ' and '.join(f'{word} {x:g}' for word, x in limits if math.isfinite(x))
  valid = (
    isinstance(value, int | float)
    and not isinstance(value, bool)
    and math.isfinite(value)
    and above < value < below
    and low <= value <= high
  )
  require(valid, f'{section}.{field} = {value!r} must be a number {bounds}')
  return float(value)


def field_names(cfg: Any) -> list[str]:
  """Returns the names of the fields of a ConfigDict, a dict or a namespace."""
  return list(cfg.keys()) if hasattr(cfg, 'keys') else list(vars(cfg))


def get(cfg: Any, field: str) -> Any:
  """Returns a field's value; None where the field is missing."""
  if isinstance(cfg, Mapping):
    return cfg.get(field)
  return getattr(cfg, field, None)


def choose(
  section: str,
  cfg: Any,
  table: Mapping[str, Callable[..., Any]],
  shared: Sequence[str],
) -> tuple[Callable[..., Any], dict[str, Any]]:
  """Looks `cfg.name` up in `table` and gathers that function's own fields.

  The keyword-only parameters of the function are its fields and their defaults are
  the field's defaults, so a signature is the documentation of what a config may say.
  None means the default. A field that the function does not have may stay in the
  section if it is off (None, 0, False). If it is on, it is an error, since it would
  otherwise be silently ignored.

  Args:
    section: the name of `cfg` in errors ('optimizer').
    cfg: a ConfigDict, a dict or a namespace.
    table: name -> function.
    shared: the fields that the caller reads itself, whatever the name.

  Returns:
    The function and its keyword arguments.

  Raises:
    TrainingError: for an unknown name or field, or a missing one.
  """
  name = get(cfg, 'name')
  if name not in table:
    raise unknown_name(f'{section}.name', name, table)
  own = fields_of(table[name])
  everywhere = {
    'name',
    *shared,
    *(f for build in table.values() for f in fields_of(build)),
  }
  arguments = {}
  for field in field_names(cfg):
    value = get(cfg, field)
    if field not in everywhere:
      raise unknown_name(f'{section} field', field, everywhere)
    if field in own and value is not None:
      arguments[field] = value
    elif field not in own and field not in ('name', *shared) and value:
      raise TrainingError(
        f'{section}.{field} = {value!r} does nothing for {section}.name = {name!r}; '
        f'set it to None (fields of {name!r}: {", ".join([*own, *shared])})'
      )
  for field, default in own.items():
    require(
      field in arguments or default is not inspect.Parameter.empty,
      f'{section}.{field} is missing; {section}.name = {name!r} needs it',
    )
  return table[name], arguments


def fields_of(build: Callable[..., Any]) -> dict[str, Any]:
  """Returns keyword-only parameter -> default (`Parameter.empty`: it has none)."""
  parameters = inspect.signature(build).parameters.values()
  return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

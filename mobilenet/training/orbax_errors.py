"""What an error of orbax or TensorStore says, in words of one line."""

import re


def os_error(error: Exception) -> int | None:
  """The errno behind an error; TensorStore has it in its text only."""
  for cause in (error, _root(error)):
    if isinstance(cause, OSError) and cause.errno:
      return cause.errno
    if match := re.search(r"os_error_code='(\d+)'", str(cause)):
      return int(match[1])
  return None


def reason(error: Exception) -> str:
  """What went wrong first, on one line of readable length."""
  cause = _root(error)
  text = ' '.join(str(cause).split())
  if not isinstance(cause, OSError | ValueError) or not text:
    text = ': '.join(filter(None, (type(cause).__name__, text)))
  return text if len(text) <= 200 else f'{text[:80]} ... {text[-115:]}'


def _root(error: BaseException) -> BaseException:
  while cause := error.__cause__ or (
    None if error.__suppress_context__ else error.__context__
  ):
    error = cause
  return error

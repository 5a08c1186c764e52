"""The flags by which the processes of one run find each other."""

import socket

from mobilenet.training.errors import TrainingError, require


def check(
  coordinator: str | None, num_processes: int | None, process_id: int | None
) -> None:
  """Checks what JAX would complain of late or not at all.

  Raises:
    TrainingError: only some are given, a number is out of range, or the coordinator is
      no address, is not known, or (on process 0) its port is taken.
  """
  given = {
    '--coordinator': coordinator,
    '--num_processes': num_processes,
    '--process_id': process_id,
  }
  missing = [flag for flag, value in given.items() if value is None]
  if len(missing) == len(given):
    return  # the cluster knows
  require(
    not missing,
    f'--multihost: {" and ".join(missing)} missing; give --coordinator=HOST:PORT, '
    '--num_processes=N and --process_id=0 to N-1, or none of them on a cluster that '
    'JAX knows',
  )
  require(num_processes >= 1, f'--num_processes={num_processes}: there is at least one')
  require(
    0 <= process_id < num_processes,
    f'--process_id={process_id}: of {num_processes} processes the numbers are 0 to '
    f'{num_processes - 1}',
  )
  host, _, port = coordinator.rpartition(':')
  require(
    bool(host) and port.isdigit() and 0 < int(port) < 65536,
    f'--coordinator={coordinator} is not HOST:PORT, such as 10.0.0.1:1234',
  )
  try:
    socket.getaddrinfo(host.strip('[]'), int(port))
  except OSError as error:
    raise TrainingError(
      f'--coordinator={coordinator}: host {host} is not known here '
      f'({error.strerror}); give the name or the address of the host of process 0'
    ) from error
  if process_id == 0:
    try:
      with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind(('', int(port)))
    except OSError as error:
      raise TrainingError(
        f'--coordinator={coordinator}: process 0 cannot use port {port} '
        f'({error.strerror}); choose another one'
      ) from error

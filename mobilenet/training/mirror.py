"""A workdir in a bucket: a local copy that the job works in, and that is sent there.

A bucket has neither renames nor locks, on which checkpoints rely. So a job has a folder
in the user's cache, which is fetched before it and sent after it, and while a run
trains. `mirror.json` in the bucket lists the checkpoints that are whole there, with a
hash of each. It is written after their files and after the metrics up to their steps.
What it does not list is not fetched: a kill while sending leaves the checkpoint before.

It also names the last process that trained there. One that finds another's name ends:
a machine that was believed lost does not mix its run with that of its successor.

The bucket is the truth, with one exception: where no other process has trained since
this machine did, its copy may hold more than it could send, and is kept.
"""

import _thread
import contextlib
import hashlib
import json
import pathlib
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from typing import NamedTuple

from mobilenet.models import user_cache
from mobilenet.training import files, local_copy, retries, workdir
from mobilenet.training.bucket import Bucket, BucketError
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.local_copy import Stamps
from mobilenet.training.preemption import StopRequest

MIRROR_FILE = 'mirror.json'
LOOK_SECONDS = 5.0  # from one look for a new checkpoint to the next
SEND_SECONDS = 60.0  # until other files that changed are sent
_ATTEMPTS = 3  # at fetching what another machine may be tidying


class _Sent(NamedTuple):
  """What `mirror.json` says. checkpoints: folder -> hash."""

  owner: str
  checkpoints: dict[str, str]


@contextlib.contextmanager
def entered(given: str | None, *, trains: bool, several: bool) -> Iterator[str | None]:
  """The folder in which a job works: --workdir itself, or the copy of one in a bucket.

  At the end, whatever it was, the bucket gets what is new.

  Args:
    given: the value of --workdir.
    trains: whether the job makes checkpoints. Of others only the small files that they
      wrote are sent, at the end: a run may be evaluated while it trains elsewhere.
    several: whether processes on several machines share the folder.

  Raises:
    TrainingError: several machines, another process of this machine has the copy, the
      bucket cannot be read; or at the end, it cannot be written, or another machine
      has taken the run over.
  """
  if given is None or '://' not in given:
    yield given
    return
  require(
    not several,
    f'--workdir={given}: with --multihost or --index all machines need one folder: '
    'mount the bucket (gcsfuse, Mountpoint for S3; see docs/cluster.md) and give its '
    'path',
  )
  address = given.rstrip('/')
  name = hashlib.sha256(address.encode()).hexdigest()[:16]
  home = user_cache.folder('buckets') / name
  mirror = Mirror(Bucket(address), home / address.rpartition('/')[2], trains=trains)
  taken = f'another process of this machine works on {address}: wait for it or stop it'
  with workdir.locked(home, f'{taken}; its local copy is {mirror.folder}'):
    mirror.fetch()
    print(f'{address}: the local copy is {mirror.folder}')
    if trains:
      mirror.start()
    try:
      yield str(mirror.folder)
    except BaseException as error:
      try:
        mirror.finish()
      except TrainingError as failure:
        if not isinstance(error, TrainingError | KeyboardInterrupt):
          error.add_note(str(failure))
        print(f'note: {failure}')  # the first error is the one to end with
      raise
    mirror.finish()


class Mirror:
  """A bucket's folder and its local copy.

  Args:
    bucket: the folder there.
    folder: the local copy; made if missing.
    trains: whether checkpoints are sent.
  """

  def __init__(self, bucket: Bucket, folder: pathlib.Path, *, trains: bool):
    self.folder = folder
    self._bucket, self._trains = bucket, trains
    self._owner = uuid.uuid4().hex
    self._owns = False  # whether the bucket knows this process as the owner
    self._sent: Stamps = {}  # what is there; None where it is not as it is here
    self._first: Stamps = {}  # what was here before the job
    self._listed: dict[str, str] = {}  # the checkpoints that the bucket lists
    self._hashes: dict[str, tuple[Stamps, str]] = {}
    self._sent_at = time.monotonic()
    self._ended: TrainingError | None = None  # why nothing more is sent
    self._thread: threading.Thread | None = None
    self._stop = threading.Event()

  def fetch(self) -> None:
    """Makes the local copy what the bucket holds.

    Raises:
      TrainingError: it cannot be read, or the copy cannot be written.
    """
    for attempt in range(_ATTEMPTS):
      try:
        self._fetch()
        return
      except OSError as error:
        raise files.write_error(self.folder, error) from error
      except BucketError as error:
        gone = isinstance(error.__cause__, FileNotFoundError)
        if not gone or attempt == _ATTEMPTS - 1:
          raise

  def send(self) -> None:
    """Makes the bucket what the local copy holds.

    Raises:
      WriteError: it cannot be written.
      TrainingError: another process has taken the run over, or it cannot be read.
    """
    found = local_copy.stamps(self.folder)
    if not self._owns and found == self._first:
      return  # the job has done nothing yet: it may end with a mistake in its config
    self._sent_at, whole = time.monotonic(), {}
    if self._trains:
      self._own()
      stage = self.folder.with_name(f'{self.folder.name}.sending')
      try:
        whole = local_copy.link(self.folder, stage, self._sent)
        for name, stamps in whole.items():
          self._put(stage, stamps)
          self._hash(stage, name, stamps)
      finally:
        files.remove(stage)
      # The rest is listed after the checkpoints, so that metrics reach at least as far.
      found = local_copy.stamps(self.folder)
    rest = {path: s for path, s in found.items() if not local_copy.checkpoint_of(path)}
    self._put(self.folder, rest)
    there = set(rest).union(*whole.values())
    if self._trains:
      self._list({name: self._hashes[name][1] for name in whole})
    else:
      there |= {path for path in self._sent if local_copy.checkpoint_of(path)}
    gone = self._sent.keys() - there
    self._bucket.remove(sorted(gone))
    for path in gone:
      del self._sent[path]

  def start(self) -> None:
    """Sends from now on, in a thread."""
    self._thread = threading.Thread(target=self._keep_sending, daemon=True)
    self._thread.start()

  def finish(self) -> None:
    """Sends the last; SIGTERM does not end that, but for a second one.

    Raises:
      TrainingError: it cannot be sent, or another process has taken the run over.
    """
    with StopRequest():
      self._stop.set()
      if self._thread is not None:
        self._thread.join()
      if self._ended is not None:
        raise self._ended
      try:
        retries.write(self.send)
      except files.WriteError as error:
        raise TrainingError(
          f'{error}. What was not sent is in {self.folder}: the same command on this '
          'machine sends it'
        ) from error

  def _fetch(self) -> None:
    said, there = self._said(), self._bucket.files() - {MIRROR_FILE}
    # A folder without a list was copied there by a person.
    lacking = {
      path
      for path in there
      if said
      and (name := local_copy.checkpoint_of(path))
      and name not in said.checkpoints
    }
    there -= lacking
    self._sent = dict.fromkeys(lacking)
    self.folder.mkdir(parents=True, exist_ok=True)
    here, known = local_copy.stamps(self.folder), said.checkpoints if said else {}
    same = {
      name
      for name, stamps in local_copy.checkpoints(here).items()
      if known.get(name) == self._hash(self.folder, name, stamps)
    }
    ahead = said is not None and said.owner == self._last_owner()
    if ahead:
      due = {path for path in there - here.keys() if not local_copy.checkpoint_of(path)}
    else:
      due = {path for path in there if local_copy.checkpoint_of(path) not in same}
      local_copy.remove_all_but(self.folder, there - due)
    self._bucket.fetch(self.folder, sorted(due))
    here = local_copy.stamps(self.folder)
    fetched = local_copy.checkpoints({path: here[path] for path in due})
    self._listed = dict(known)
    for name, stamps in fetched.items():
      digest = self._hash(self.folder, name, stamps)
      if known.get(name, digest) == digest:
        self._listed[name] = digest
        continue
      print(f'note: {self._bucket.address}/{name} is not whole, and is left out')
      files.remove(self.folder / name)
      del self._listed[name]
      self._sent |= dict.fromkeys(stamps)
      here = local_copy.stamps(self.folder)
    self._sent |= dict.fromkeys(there)
    if ahead and self._trains:  # all else may have changed since it was sent
      self._sent |= {
        p: s for p, s in here.items() if local_copy.checkpoint_of(p) in same
      }
    else:
      self._sent |= here
    self._first = here

  def _keep_sending(self) -> None:
    away = False
    while not self._stop.wait(LOOK_SECONDS):
      try:
        if self._ended is None and self._is_due():
          self.send()
          if away:
            print(f'note: {self._bucket.address} takes files again')
          away = False
      except files.WriteError as error:
        if error.lasting and not self._owns:
          self._ended = error  # it never worked: better now than after hours
        elif not away:
          print(f'note: {error}. Training goes on, and it is tried again')
          away = True
      except TrainingError as error:
        self._ended = error
      # A job that takes no signals now learns it at its end.
      if self._ended and callable(signal.getsignal(signal.SIGTERM)):
        _thread.interrupt_main(signal.SIGTERM)
        return

  def _is_due(self) -> bool:
    found = local_copy.stamps(self.folder)
    if not self._owns:
      return found != self._first
    if (
      local_copy.checkpoints(found).keys() != local_copy.checkpoints(self._sent).keys()
    ):
      return True
    return found != self._sent and time.monotonic() - self._sent_at > SEND_SECONDS

  def _own(self) -> None:
    """Writes this process's name there, or checks that no other is there since."""
    said = self._said()
    if not self._owns:
      files.replace_file(self.folder / local_copy.OWNER_FILE, self._owner.encode())
      self._list(self._listed)
      self._owns = True
    elif said is None:  # a person has removed the folder
      self._sent.clear()
    elif said.owner != self._owner:
      raise TrainingError(
        f'another process has taken over {self._bucket.address} and goes on from what '
        'it found there; this one ends'
      )

  def _list(self, checkpoints: dict[str, str]) -> None:
    if self._owns:
      self._own()  # the sending took a while
    text = json.dumps({'owner': self._owner, 'checkpoints': checkpoints}, indent=1)
    self._bucket.write(MIRROR_FILE, f'{text}\n'.encode())
    self._listed = checkpoints

  def _said(self) -> _Sent | None:
    text = self._bucket.read(MIRROR_FILE)
    try:
      return None if text is None else _Sent(**json.loads(text))
    except (ValueError, TypeError) as error:
      raise TrainingError(
        f'{self._bucket.address}/{MIRROR_FILE} is not as it was written ({error}); '
        'remove it, and all checkpoints there count'
      ) from error

  def _last_owner(self) -> str | None:
    try:
      return (self.folder / local_copy.OWNER_FILE).read_text()
    except FileNotFoundError:
      return None

  def _put(self, folder: pathlib.Path, stamps: Stamps) -> None:
    """Sends those that are not there as they are here."""
    due = {p: s for p, s in stamps.items() if self._sent.get(p) != s}
    try:
      self._bucket.send(folder, due)
    except files.WriteError:
      left = {p: s for p, s in due.items() if (folder / p).exists()}
      if len(left) == len(due):
        raise
      self._put(folder, left)  # the others were removed meanwhile
    else:
      self._sent |= due

  def _hash(self, folder: pathlib.Path, name: str, stamps: Stamps) -> str:
    """That of a checkpoint, which stays what it is."""
    if self._hashes.get(name, (None,))[0] != stamps:
      self._hashes[name] = stamps, local_copy.digest(folder, stamps)
    return self._hashes[name][1]

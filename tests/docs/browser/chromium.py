"""A page in a real browser without a person: Chromium, and a server that it asks."""

import contextlib
import http.server
import mimetypes
import pathlib
import queue
import shutil
import subprocess
import tempfile
import threading
import urllib.parse
from collections.abc import Iterator, Mapping

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
FLAGS = (
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
)


def found() -> str | None:
  """Where Chromium is on this machine."""
  return next(filter(None, map(shutil.which, NAMES)), None)


def answers(
  program: str, page: str, files: Mapping[str, bytes | pathlib.Path], seconds: float
) -> dict[str, bytes]:
  """Opens a page and collects what it sends to /answers/NAME, until that is 'done'.

  Args:
    program: Chromium.
    page: its path on the server.
    files: path on the server -> content, or a file or a folder of this machine.
    seconds: how long it may take.

  Raises:
    AssertionError: the page sends 'failed', or is not done in time.
  """
  sent: queue.Queue[tuple[str, bytes]] = queue.Queue()
  collected: dict[str, bytes] = {}
  with _server(files, sent) as address, _browser(program, f'{address}{page}'):
    while True:
      try:
        name, body = sent.get(timeout=seconds)
      except queue.Empty:
        raise AssertionError(f'the page went silent after {list(collected)}') from None
      assert name != 'failed', body.decode()
      if name == 'done':
        return collected
      collected[name] = body


@contextlib.contextmanager
def _server(files, sent) -> Iterator[str]:
  class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
      content = _content(files, self.path.split('?')[0])
      self.send_response(404 if content is None else 200)
      kind, _ = mimetypes.guess_type(self.path.split('?')[0])
      # Windows' registry may say otherwise, and modules must be of this type.
      kind = 'text/javascript' if self.path.endswith(('.js', '.mjs')) else kind
      self.send_header('Content-Type', kind or 'application/octet-stream')
      self.send_header('Content-Length', str(len(content or b'')))
      self.end_headers()
      self.wfile.write(content or b'')

    def do_POST(self):
      body = self.rfile.read(int(self.headers['Content-Length']))
      self.send_response(204)
      self.end_headers()
      sent.put((urllib.parse.unquote(self.path.removeprefix('/answers/')), body))

    def log_message(self, *_):
      pass

  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
  thread = threading.Thread(target=server.serve_forever, args=(0.05,))
  thread.start()
  try:
    yield f'http://localhost:{server.server_port}'
  finally:
    server.shutdown()
    thread.join()
    server.server_close()


def _content(files, path):
  if path in files:
    content = files[path]
    return content if isinstance(content, bytes) else content.read_bytes()
  folder, _, name = path.rpartition('/')
  place = files.get(folder + '/')
  if place is None or not (place / name).is_file():
    return None
  return (place / name).read_bytes()


@contextlib.contextmanager
def _browser(program, address) -> Iterator[None]:
  # Chromium's own processes may write for a moment after it has ended.
  with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    process = subprocess.Popen(
      [program, *FLAGS, f'--user-data-dir={profile}', address],
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    try:
      yield
    finally:
      process.terminate()
      try:
        process.wait(10)
      except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

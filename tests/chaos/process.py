"""One process of a run that is disturbed: tests/tiny.py, and it says where it hangs.

On SIGUSR1 it prints what each of its threads does. Others wait for one that was killed
before it joined them, in this project for ten minutes; here for CHAOS_JOIN_SECONDS.
"""

import faulthandler
import os
import signal
import sys
from unittest import mock

import main
from mobilenet.reports import run_report
from mobilenet.training import processes
from tests import tiny

if __name__ == '__main__':
  faulthandler.register(signal.SIGUSR1)
  # A shell's background command ignores Ctrl-C, and hands that down.
  signal.signal(signal.SIGINT, signal.default_int_handler)
  if seconds := os.environ.get('CHAOS_JOIN_SECONDS'):
    processes.JOIN_SECONDS = int(seconds)
  if os.environ.get('CHAOS_REPORT') == '0':
    mock.patch.object(run_report, 'write_training', return_value=None).start()
  with tiny.patched(None if '--multihost' in sys.argv else 1):
    sys.exit(main.main(sys.argv))

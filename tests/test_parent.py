import subprocess
import sys

WATCHES = "import time; from patlib.parent import stop_with_parent; stop_with_parent(); print('on', flush=True); {}"


def start(then):
    child = subprocess.Popen(
        [sys.executable, "-c", WATCHES.format(then)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"on\n"
    return child


def test_a_process_ends_when_the_pipe_from_its_parent_closes():
    with start("time.sleep(60)") as child:
        assert child.poll() is None
        child.stdin.close()
        assert child.wait() == 1, "it went on to its own end"


def test_a_process_that_is_done_does_not_wait_for_its_parent():
    with start("raise SystemExit(7)") as child:
        assert child.wait() == 7

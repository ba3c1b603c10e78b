"""A job that works until it is told that it may end: by a file, so that no test depends on how long something takes."""

import argparse
import os
import pathlib
import time

parser = argparse.ArgumentParser()
parser.add_argument("--go", type=pathlib.Path, required=True)
go = parser.parse_args().go

print("working", flush=True)
while not go.exists():
    time.sleep(0.2)
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text("done")

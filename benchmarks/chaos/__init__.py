"""``python -m benchmarks.chaos``: what is lost when anything may be killed at any time."""

import sys
from pathlib import Path

# Airflow puts its plugins there by itself.
sys.path.append(str(Path(__file__).parents[2] / "plugins"))

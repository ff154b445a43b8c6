# Recipes for people; CI runs .ci/run.

# What is given to a recipe reaches the program as it was typed: spaces, quotes, brackets.
set positional-arguments

python := ".venv/bin/python"

# List the recipes.
default:
    @just --list

# Make the virtual environment with everything for development.
setup:
    python3 -m venv .venv && .venv/bin/pip install -q -c config/constraints.txt -e '.[dev]'

# Trade the simulated venues.
run *args:
    .venv/bin/hlomm run "$@"

# Look in.
tui *args:
    .venv/bin/hlomm tui "$@"

# Pictures of the running app for the README: just pictures STATE-DIR.
pictures state-dir:
    .venv/bin/hlomm tui --state-dir "$1" --screenshot tui/screenshot.svg
    .venv/bin/hlomm tui --state-dir "$1" --screenshot tui/market.svg --press 2,right,right
    .venv/bin/hlomm tui --state-dir "$1" --screenshot tui/surfaces.svg --press 7

# What terminals cost: CPU share each, and the daemon's latency with none and with three.
bench-tui seconds="30":
    {{python}} -m tests.trials.terminal_cost "$1"

# Tests, with pass-through arguments.
test *args:
    .venv/bin/pytest "$@"

# Every optimised path against its slow twin: just twins 1000.
twins count="100000":
    HLOMM_TWINS="$1" .venv/bin/pytest -m trial -n 0 -s -o faulthandler_timeout=900 tests/twins

# Formatting, lint, types, import contracts.
lint:
    .ci/lint

# Rewrite formatting and what the linter can mend.
fix:
    .venv/bin/ruff format .
    .venv/bin/ruff check --fix .

# The engine over a recording: just backtest FOLDER.
backtest folder *args:
    .venv/bin/hlomm backtest "$@"

# Every folder of recordings with books through import and backtest, as a table: just datasets ../shared/data OUT [NAME…].
datasets data out *names:
    {{python}} -m tests.trials.every_dataset "$@"

# Everything CI checks.
ci:
    .ci/run

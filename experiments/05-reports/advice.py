"""What `initodds-advise` says of the eleven networks: advice.md, a report's command, its answer and its table.

python experiments/05-reports/advice.py            everything; full MNIST in INITODDS_DATA, or downloaded
python experiments/05-reports/advice.py 2 4        these reports alone; the sections of the others stay

Tracked in advice.db in this folder: started again, it goes on from there.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ANSWERS = FOLDER / "advice.md"

XOR = "data=xor sgd.batch_size=4"
SOFTMAX = "network.output=softmax network.cost=cross_entropy"
TABLE = "data=table data.target=y data.scale=raw data.scale_targets=raw network.activation=relu network.output=linear"

COMMANDS: dict[int, str] = {
    1: f"{XOR} network.hidden=[2] init=centred init.centre=0 init.half_width=4 optimizer.momentum=0.9"
    " sgd.learning_rate=0.5 sgd.epochs=5000",
    2: f"{XOR} network.hidden=[2] network.cost=cross_entropy init=xavier_uniform sgd.learning_rate=0.01 sgd.epochs=500",
    3: f"{XOR} network.hidden=[5] network.cost=cross_entropy init=gaussian init.std=0.01 init.bias=0"
    " sgd.learning_rate=0.03 sgd.epochs=20000",
    4: f"{XOR} network.hidden=[2] network.activation=relu network.cost=cross_entropy init=xavier_uniform"
    " sgd.learning_rate=0.5 sgd.epochs=2000",
    5: f"data=mnist data.scale=raw network.hidden=[32,32] network.activation=relu {SOFTMAX} init=torch_linear"
    " sgd.batch_size=256 sgd.learning_rate=0.1 sgd.epochs=3",
    6: f"data=mnist data.scale=unit network.hidden=[] {SOFTMAX} init=gaussian sgd.batch_size=100"
    " sgd.learning_rate=0.001 sgd.epochs=3",
    7: f"{TABLE} data.path=sqrt.csv network.hidden=[10] init=gaussian init.std=0.01 init.bias=0 sgd.batch_size=500"
    " sgd.learning_rate=1e-6 sgd.epochs=3000",
    8: "data=table data.path=one.csv data.autoencode=true data.scale=raw network.hidden=[4] network.activation=relu"
    " network.output=relu init=xavier_uniform sgd.batch_size=1 sgd.learning_rate=0.01 sgd.epochs=20000",
    9: f"{TABLE} data.path=parabola.csv network.hidden=[16,16] network.cost=mean_squared init=xavier_uniform"
    " sgd.batch_size=100 sgd.learning_rate=0.001 sgd.epochs=5000",
    10: f"data=iris data.test_share=0 data.scale=raw network.hidden=[8] network.activation=relu {SOFTMAX}"
    " init=xavier_uniform sgd.batch_size=150 sgd.learning_rate=1 sgd.epochs=300",
    11: f"{TABLE} data.path=abs.csv network.hidden=[2,2,2,2,2,2,2,2,2,2] init=he_normal sgd.batch_size=43"
    " sgd.learning_rate=0.01 sgd.epochs=300",
}
"""What is asked for each report: one of its cells, that which was reported. Report 7 is trained for 3,000 epochs
instead of 60,000, and report 11, which is about the start, for 300."""

HEAD = """# What should be changed of the eleven

Printed by `.venv/bin/python experiments/05-reports/advice.py`: for each report, one of its cells as it was reported,
the causes, what `initodds-advise` tried against them, and what it confirmed. Networks that are *fresh* had no part in
the choice of the change; those that were *looked at to choose* did, and their rates are no more than a hint. Rates with
the 95 % Wilson interval. What counts as converged is each data set's own `data.target_accuracy`. Two commands are
shorter than the report's own: 7 has 3,000 epochs instead of 60,000; 11 has 300, being about the start.
"""


def answer(report: int, minutes: float) -> str:
    """The section of a report."""
    words = [sys.executable, "-m", "initodds.commands.advise", *COMMANDS[report].split(), "--budget", f"{minutes:g}"]
    done = subprocess.run([*words, "--uri", "sqlite:///advice.db"], cwd=FOLDER, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"report {report} was not answered")
    lines = done.stdout.strip().splitlines()
    sentence = max(place for place, line in enumerate(lines) if line and not line.startswith("Not tried"))
    table = "\n".join(line for place, line in enumerate(lines) if place != sentence)
    command = shlex.join(["initodds-advise", *COMMANDS[report].split()]).replace("'", "")
    return f"## {report}\n\n    {command}\n\n**{lines[sentence]}**\n\n```\n{table.strip()}\n```\n"


def main() -> None:
    minutes = 3.0
    known = {}
    if ANSWERS.exists():
        sections = re.split(r"^## ", ANSWERS.read_text(), flags=re.MULTILINE)[1:]
        known = {int(section.split("\n", 1)[0]): f"## {section.strip()}\n" for section in sections}
    for report in [int(text) for text in sys.argv[1:]] or COMMANDS:
        known[report] = answer(report, minutes)
        ANSWERS.write_text("\n".join([HEAD, *(known[number] for number in sorted(known))]))


if __name__ == "__main__":
    main()

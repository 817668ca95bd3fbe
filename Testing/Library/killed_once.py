"""The command line, whose second torchrun process is killed once, in its first start."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from GenSegLib import cli
from GenSegLib.training.learner import Learner

FATAL_STEP = 4


def main() -> int:
    if os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        joint_step = Learner.joint_step

        def killed(learner: Learner, step: int) -> dict[str, float]:
            if step == FATAL_STEP:
                os.kill(os.getpid(), signal.SIGKILL)
            return joint_step(learner, step)

        Learner.joint_step = killed
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())

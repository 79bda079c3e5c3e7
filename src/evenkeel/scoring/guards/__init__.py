"""Guards: what must be looked at before a model learns, and what is refused.

`examine` looks; `apply` refuses, or returns what a person took upon themselves, to be recorded in the model;
`too_good` looks at the finished model's area. Thresholds, and where they come from, are in `board` and `outcome`.
"""

from evenkeel.scoring.guards.examine import examine, too_good
from evenkeel.scoring.guards.finding import Examined, Finding, Override, apply

__all__ = ["Examined", "Finding", "Override", "apply", "examine", "too_good"]

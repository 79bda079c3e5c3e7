"""The built-in functions of FEEL (DMN 1.5, clause 10.3.4), declared by the modules of this folder."""

from evenkeel.policy.feel.functions import conversion, lists, numbers, ranges, strings, times
from evenkeel.policy.feel.functions.registry import FUNCTIONS, NoAnswer, call_named, call_positional

__all__ = [
    "FUNCTIONS",
    "NoAnswer",
    "call_named",
    "call_positional",
    "conversion",
    "lists",
    "numbers",
    "ranges",
    "strings",
    "times",
]

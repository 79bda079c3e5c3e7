"""The names of the built-in functions (DMN 1.5, clause 10.3.4): the parser needs those with spaces in them."""

from evenkeel.policy.feel.scope import Names

BUILT_IN = (
    # Conversion
    "date", "date and time", "time", "number", "string", "duration", "years and months duration",
    # Boolean, string
    "not", "substring", "string length", "upper case", "lower case", "substring before", "substring after", "replace",
    "contains", "starts with", "ends with", "matches", "split", "string join",
    # List
    "list contains", "list replace", "count", "min", "max", "sum", "mean", "all", "any", "and", "or", "sublist",
    "append", "concatenate", "insert before", "remove", "reverse", "index of", "union", "distinct values", "flatten",
    "product", "median", "stddev", "mode", "sort",
    # Numeric
    "decimal", "floor", "ceiling", "round up", "round down", "round half up", "round half down", "abs", "modulo",
    "sqrt", "log", "exp", "odd", "even",
    # Date and time, temporal
    "is", "now", "today", "day of year", "day of week", "month of year", "week of year",
    # Ranges
    "range", "before", "after", "meets", "met by", "overlaps", "overlaps before", "overlaps after", "finishes",
    "finished by", "includes", "during", "starts", "started by", "coincides",
    # Context
    "get value", "get entries", "context", "context put", "context merge",
)  # fmt: skip

FUNCTION_NAMES = Names(name for name in BUILT_IN if name not in ("and", "or"))

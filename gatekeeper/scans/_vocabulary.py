"""The filters, methods and functions of chat templates that are known, by what they make of what they are given."""

SAME_FILTERS = {
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "groupby", "items", "last", "length", "list", "lower",
    "max", "min", "random", "reject", "rejectattr", "reverse", "safe", "select", "selectattr", "sort", "string", "striptags",
    "sum", "title", "trim", "truncate", "unique", "upper", "wordcount", "map", "attr", "filesizeformat", "from_json", "fromjson",
}  # fmt: skip
"""Filters whose output is no larger than what they are given, arguments and all. `map` and `attr` are judged apart as well."""

SAME_METHODS = {
    "capitalize", "casefold", "copy", "count", "endswith", "find", "get", "index", "isalnum", "isalpha", "isascii", "isdecimal",
    "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "items", "keys", "lower",
    "lstrip", "partition", "pop", "removeprefix", "removesuffix", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "swapcase", "title", "upper", "values", "cycle", "changed", "next", "strftime",
    "isoformat",
}  # fmt: skip
PADS = {"center", "ljust", "rjust", "zfill", "batch", "slice"}
"""Filters and methods that make something as large as they are told."""

REPEATS = {
    "escape", "e", "expandtabs", "forceescape", "indent", "join", "pprint", "replace", "tojson", "translate", "urlencode",
    "urlize", "wordwrap", "xmlattr",
}  # fmt: skip
"""Filters and methods that put something in for each character or element of what they are given."""

ADDS = {"default", "d", "get", "pop", "cycle", "truncate", "sum", "setdefault", "append", "extend", "insert", "update"}
"""Those of the others whose output may hold what they are told."""

FILLS = {"append", "extend", "insert", "setdefault", "update"}
GLOBALS = {"range", "namespace", "raise_exception", "strftime_now", "dict", "cycler", "joiner", "caller", "loop", "lipsum"}
LIPSUM = 700
"""Characters of a paragraph of that filler."""

NUMBERS = {"length", "count", "wordcount", "abs", "int", "float", "round"}

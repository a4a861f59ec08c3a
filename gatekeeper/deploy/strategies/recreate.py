"""The old one ends before the new one takes its traffic: for what does not fit on the machine twice for long."""

DESCRIPTION = (
    "The new model is asked beside the old one's traffic until it has shown what it is worth; then the old one is ended, and "
    "only then does the new one take its traffic."
)
GRADUAL = (0,)
IMMEDIATE = (0,)
SIDE_BY_SIDE = False

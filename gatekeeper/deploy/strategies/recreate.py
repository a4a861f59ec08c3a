"""All at once, and no traffic before: for what may not answer users half by half."""

DESCRIPTION = (
    "The new model has no traffic until it has shown what it is worth, on questions asked beside that of the old one; then it is "
    "given everything at once, and the old one is ended."
)
GRADUAL = (0,)
IMMEDIATE = (0,)

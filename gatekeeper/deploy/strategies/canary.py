"""A small part first, and all of it once that part was good."""

DESCRIPTION = "A small part of the traffic shows what the new model is worth; then it is given more."
GRADUAL = (1, 5, 10, 50)
IMMEDIATE = (10,)

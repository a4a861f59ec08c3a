"""Two whole sets side by side; traffic moves from one to the other."""

DESCRIPTION = "The new model stands beside the old one, whole, and takes over its traffic; the old one waits until all is passed."
GRADUAL = (1, 5, 25, 50, 90)
IMMEDIATE = (90,)

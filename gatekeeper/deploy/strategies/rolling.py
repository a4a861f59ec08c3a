"""Part after part of what serves is replaced."""

DESCRIPTION = "What serves is replaced part by part; on one machine the parts are thirds of the traffic."
GRADUAL = (33, 67, 90)
IMMEDIATE = (67,)

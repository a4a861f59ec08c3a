"""TEMP"""
DESCRIPTION="x"
TITLE="unit_tests"
ORDER=10
SERVER=False
LEVELS=tuple(["basic", "comprehensive"])
GATE=None
KEYS={}
KEYS={"tests":(list[str],[])}

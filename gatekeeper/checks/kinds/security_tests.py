"""TEMP"""
DESCRIPTION="x"
TITLE="security_tests"
ORDER=40
SERVER=True
LEVELS=tuple(["basic", "comprehensive"])
GATE=None
KEYS={}

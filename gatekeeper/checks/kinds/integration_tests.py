"""TEMP"""
DESCRIPTION="x"
TITLE="integration_tests"
ORDER=20
SERVER=True
LEVELS=tuple(["smoke", "full_pipeline"])
GATE=None
KEYS={}

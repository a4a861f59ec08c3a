"""TEMP"""
DESCRIPTION="x"
TITLE="load_tests"
ORDER=30
SERVER=True
LEVELS=tuple(["smoke", "production_scale"])
GATE=None
KEYS={}
from typing import Annotated

from msgspec import Meta

from gatekeeper.load.profile import LoadProfile, SoakProfile

KEYS={"load":(Annotated[LoadProfile,Meta(description="x")],LoadProfile()),"soak":(Annotated[SoakProfile|None,Meta(description="y")],None)}

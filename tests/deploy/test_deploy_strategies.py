"""Every strategy and every fault there is: what they must hold, and that none promotes without evidence."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from gatekeeper.config.sections.deployment import Deployment
from gatekeeper.deploy.faults._base import FAULTS, fault, in_order
from gatekeeper.deploy.rehearsal import Terms
from gatekeeper.deploy.strategies._base import STRATEGIES, Ramping, steps, strategy
from gatekeeper.records.rollout import Decision


def test_the_strategies_are_those_of_the_pipeline_file() -> None:
    assert set(get_args(get_type_hints(Deployment)["strategy"])) == set(STRATEGIES.names)


@pytest.mark.parametrize("name", STRATEGIES.names)
@pytest.mark.parametrize("ramping", get_args(Ramping))
def test_every_step_leaves_blue_something_to_be_compared_with(name: str, ramping: Ramping) -> None:
    shares = steps(name, ramping)
    assert shares and list(shares) == sorted(set(shares)) and shares[0] >= 0 and shares[-1] < 100
    assert strategy(name).DESCRIPTION.endswith(".")
    rehearsed = Terms(strategy=name, ramping=ramping).shares()
    assert rehearsed and rehearsed[-1] >= shares[-1] and all(0 <= share < 100 for share in rehearsed)


@pytest.mark.parametrize("name", FAULTS.names)
def test_no_fault_may_be_promoted(name: str) -> None:
    about = fault(name)
    assert about.MUST and Decision.PROMOTE not in about.MUST and about.DESCRIPTION.endswith(".")
    assert getattr(about, "LOSES", "") in ("", "nothing", "in_flight")


def test_the_faults_that_were_promised_are_there() -> None:
    assert {"errors", "slowness", "wrong_answers", "sigkill", "sigterm", "no_traffic", "leak"} <= set(in_order())

"""Licences: what is one, what a list allows, what a model's own words mean. `license_expression` is the oracle."""

from __future__ import annotations

from itertools import combinations

import pytest

from gatekeeper.compliance.judge import contradictions
from gatekeeper.compliance.licenses import UnknownLicense, allows, same, single, spdx
from gatekeeper.records.compliance import OwnLicense

EXPRESSIONS = [
    "MIT",
    "MIT OR Apache-2.0",
    "MIT AND Apache-2.0",
    "MIT AND Apache-2.0 OR BSD-3-Clause",
    "MIT AND (Apache-2.0 OR BSD-3-Clause)",
    "(MIT)",
    "((MIT OR BSD-3-Clause) AND (Apache-2.0 OR GPL-3.0-only)) OR GPL-3.0-only AND MIT",
    "GPL-3.0-only OR MIT AND Apache-2.0 AND BSD-3-Clause",
]
NAMES = ["MIT", "Apache-2.0", "BSD-3-Clause", "GPL-3.0-only"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_list_allows_what_its_licences_make_true(expression: str) -> None:
    """Held against a parser of somebody else's, for every list there can be."""
    oracle = pytest.importorskip("license_expression").get_spdx_licensing()
    tree = oracle.parse(expression, validate=True)
    for count in range(len(NAMES) + 1):
        for allowed in combinations(NAMES, count):
            values = {symbol: oracle.TRUE if symbol.key in allowed else oracle.FALSE for symbol in tree.symbols}
            expected = tree.subs(values, simplify=True) == oracle.TRUE
            assert allows(allowed, expression) is expected, (allowed, expression)


def test_an_exception_and_a_later_version_only_add() -> None:
    assert allows(["GPL-2.0-only"], "GPL-2.0-only WITH Classpath-exception-2.0")
    assert allows(["GPL-2.0-only WITH Classpath-exception-2.0"], "gpl-2.0-only with classpath-exception-2.0")
    assert not allows(["GPL-2.0-only WITH Classpath-exception-2.0"], "GPL-2.0-only")
    assert allows(["Apache-2.0"], "Apache-2.0+")
    assert not allows(["MIT"], "no licence at all")
    assert not allows([], "MIT")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("mit or (bsd-3-clause and LICENSEREF-ours)", "MIT OR (BSD-3-Clause AND LicenseRef-ours)"),
        ("CC-BY-4.0", "CC-BY-4.0"),
    ],
)
def test_an_expression_is_written_as_spdx_writes_it(text: str, canonical: str) -> None:
    assert spdx(text) == canonical
    assert spdx(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Apache-2", "'Apache-2' is no licence of SPDX's list; did you mean 'Apache-2.0'?"),
        ("MIT OR Apache-2.1", "did you mean 'Apache-2.0'?"),
        ("GPL-2.0-only WITH Classpath-exeption-2.0", "did you mean 'Classpath-exception-2.0'?"),
        ("llama3.2", "such as LicenseRef-llama3.2"),
        ("MIT OR", "is no SPDX expression"),
        ("(MIT", "is no SPDX expression"),
        ("", "no licence is named"),
        ("MIT " * 200, "more than 500 characters"),
        ("(" * 200 + "MIT" + ")" * 200, "or 50 brackets, is none"),
        ("__import__('os')", "is no licence of SPDX's list"),
    ],
)
def test_what_is_none_is_said_with_what_is_near(text: str, said: str) -> None:
    with pytest.raises(UnknownLicense) as caught:
        spdx(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "own", "alike"),
    [
        ("Apache-2.0", "apache-2.0", True),
        ("Apache-2.0", "Apache License, Version 2.0", True),
        ("MIT", "MIT License", True),
        ("AGPL-3.0-only", "AGPL-3.0 License (https://ultralytics.com/license)", True),
        ("GPL-3.0-or-later", "gpl-3.0", True),
        ("GPL-3.0-or-later", "GPL-3.0-only", False),
        ("LicenseRef-llama3.2", "llama3.2", True),
        ("Apache-2.0", "llama3.2", False),
        ("Apache-2.0", "MIT License", False),
        ("Apache-2.0", "Apache-2.0 or MIT, as you like", False),
        ("Apache-2.0", "ask us", False),
        ("MIT OR Apache-2.0", "mit or apache-2.0", True),
        ("MIT", "The MIT License (MIT)", True),
        ("Apache-2.0", "Licensed under the Apache License, Version 2.0", True),
        ("BSD-3-Clause", "BSD 3-Clause License", True),
        ("Apache-2.0", "Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)", True),
        ("LGPL-3.0-only", "GNU Lesser General Public License v3.0", True),
        ("GPL-3.0-or-later", "GNU General Public License v3.0 or later", True),
        ("AGPL-3.0-only", "GNU Affero General Public License, version 3.0 (AGPL-3.0)", True),
        ("CC-BY-4.0", "Creative Commons Attribution 4.0 International", True),
        ("CC-BY-4.0", "Creative Commons Attribution Share Alike 4.0 International", False),
        ("CC-BY-4.0", "Creative Commons Attribution-NonCommercial 4.0 International", False),
        ("CC-BY-SA-4.0", "Creative Commons Attribution-ShareAlike 4.0 International", True),
        ("GPL-3.0-only", "GNU Lesser General Public License v3.0", False),
        # It names the licence, and says more: whatever is left over contradicts.
        ("MIT", "Proprietary, research use only. NOT MIT, all rights reserved", False),
        ("MIT", "Non-commercial; code alone is MIT", False),
        ("MIT", "MIT + commons clause", False),
        ("MIT", "not MIT", False),
        ("MIT", "no MIT License", False),
        ("MIT", "MIT License (research only)", False),
        ("MIT", "MIT (GPL-3.0-only)", False),
        ("MIT", "MIT License (https://example.org/terms)", False),
        ("MIT", "MIT\nnon-commercial", False),
        ("Apache-2.0", "Apache-2.0 with non-commercial restrictions", False),
        ("Apache-2.0", "llama3.2, based on Apache-2.0", False),
        ("CC-BY-4.0", "cc-by-nc-4.0 (not cc-by-4.0)", False),
        ("MIT", "(" * 400 + "MIT", False),
    ],
)
def test_what_a_model_says_in_its_own_words(declared: str, own: str, alike: bool) -> None:
    assert same(declared, own) is alike


def test_a_licence_without_an_identifier_goes_by_its_name() -> None:
    assert same("LicenseRef-Our-Own", "other", "Our Own")
    assert not same("LicenseRef-Our-Own", "other", "Their Own")
    assert not same("Apache-2.0", "other")
    assert not same("MIT", "other", "not MIT")


def test_a_name_beside_a_licence_is_said_too() -> None:
    def contradicted(**says: str) -> list[str]:
        return list(contradictions(OwnLicense(model="m", says=says), "MIT"))

    assert contradicted(license="mit", license_name="MIT License") == []
    assert len(contradicted(license="mit", license_name="research only")) == 1
    assert len(contradicted(license_name="research only")) == 1
    assert contradicted(license="other", license_name="MIT") == []
    assert len(contradicted(license="other", license_name="not MIT")) == 1


def test_a_list_holds_single_licences() -> None:
    assert single("MIT") and single("GPL-2.0-only WITH Classpath-exception-2.0")
    assert not single("MIT OR Apache-2.0") and not single("(MIT AND 0BSD)")

# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading on a host: the class that the control node means, from its own file, and nothing that is not ours."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.module_utils._checks.registry import CHECKS, PARTS
from ansible_collections.resto.golive.plugins.module_utils._loader import HOME, class_of

KNOWN = {**CHECKS, **PARTS}


@pytest.mark.parametrize("check", KNOWN.values(), ids=KNOWN)
def test_a_class_is_found_in_the_file_that_defines_it(check: type[Check]) -> None:
    assert class_of(check.name, check.__module__) is check


def test_what_another_file_defines_is_found_in_the_registry() -> None:
    assert class_of("redis_persistence", HOME + "_check") is CHECKS["redis_persistence"]
    assert class_of("redis_persistence", "os") is CHECKS["redis_persistence"]


def test_what_nobody_defines_is_not_found() -> None:
    with pytest.raises(LookupError):
        class_of("check", HOME + "_check")


def test_one_check_does_not_bring_the_others() -> None:
    check = CHECKS["redis_persistence"]
    code = f"import sys; from {class_of.__module__} import class_of; class_of({check.name!r}, {check.__module__!r}); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True).stdout.split()
    assert {known.__module__ for known in KNOWN.values()} & set(loaded) == {check.__module__}

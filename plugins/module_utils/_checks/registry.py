# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check by its name. Literal imports only: what is not imported by name is not packed and sent to the host."""

from __future__ import annotations

from ansible_collections.resto.golive.plugins.module_utils._check import Check
from ansible_collections.resto.golive.plugins.module_utils._checks.acceptance.order_journey import JourneyAct, JourneyFinish, OrderJourney
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_certificate import TlsCertificate
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_renewal import TlsRenewal
from ansible_collections.resto.golive.plugins.module_utils._checks.environment.tls_renewal_drill import TlsRenewalDrill
from ansible_collections.resto.golive.plugins.module_utils._checks.operations.support_channel import SupportChannel
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_cron import BackupCron
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.backup_retention import BackupRetention
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.migration_rehearsal import MigrationRehearsal
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_alerts import PostgresAlerts
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_backup import PostgresBackup
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_health import PostgresHealth
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_lock_drill import PostgresLockDrill
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.postgres_migrations import PostgresMigrations
from ansible_collections.resto.golive.plugins.module_utils._checks.postgres.restore_drill import RestoreDrill
from ansible_collections.resto.golive.plugins.module_utils._checks.redis.redis_persistence import RedisPersistence
from ansible_collections.resto.golive.plugins.module_utils._checks.security.gitleaks import Gitleaks
from ansible_collections.resto.golive.plugins.module_utils._checks.security.gitleaks_hook import GitleaksHook
from ansible_collections.resto.golive.plugins.module_utils._checks.security.rate_limit import RateLimit
from ansible_collections.resto.golive.plugins.module_utils._parts import DatabaseObservers

_ALL: tuple[type[Check], ...] = (
    TlsCertificate,
    TlsRenewal,
    TlsRenewalDrill,
    PostgresMigrations,
    MigrationRehearsal,
    BackupRetention,
    PostgresHealth,
    PostgresAlerts,
    PostgresLockDrill,
    RedisPersistence,
    Gitleaks,
    GitleaksHook,
    RateLimit,
    PostgresBackup,
    BackupCron,
    RestoreDrill,
    SupportChannel,
    OrderJourney,
)

CHECKS: dict[str, type[Check]] = {check.name: check for check in _ALL}

#: What a host contributes to a check whose judgement is made on the control node.
PARTS: dict[str, type[Check]] = {part.name: part for part in (JourneyAct, JourneyFinish, DatabaseObservers)}

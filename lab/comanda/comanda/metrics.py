# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics live here: what Prometheus reads from every process of ours."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# 0.4 s is the objective (p95), so a bucket must end exactly there; the others are spread around it.
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)

requests = Counter("http_requests_total", "HTTP requests answered.", ["method", "route", "status"])
duration = Histogram("http_request_duration_seconds", "Time to answer an HTTP request.", ["method", "route"], buckets=BUCKETS_S)
orders = Counter("orders_total", "Orders taken.", ["tenant", "channel", "test"])
outbox_depth = Gauge("outbox_depth", "Messages that wait in the outbox.", ["state"])

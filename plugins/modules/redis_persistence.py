#!/usr/bin/python
# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the check ``redis_persistence``: what Redis holds survives a restart."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_persistence
short_description: Prove that Redis keeps what it holds, and turn AOF on without emptying it
version_added: 0.1.0
description:
  - Looks at the running server (C(INFO), C(CONFIG GET)), at its configuration file with everything it includes, at its append-only file on disk, and at
    the memory and the kernel under it, and judges them by what Redis is used for.
  - A queue or sessions need C(appendonly yes) with C(appendfsync everysec) or C(always), C(maxmemory-policy noeviction), a memory limit that leaves room
    for a fork, last writes that went well, and a configuration file that says the same as the running server. A cache needs a limit and eviction.
  - With O(fix=true) mends in the one order that loses nothing. The running server writes its append-only file, and only when that file is whole does the
    configuration say so (C(CONFIG REWRITE)). Redis that is restarted with C(appendonly yes) in its file and no append-only file on disk starts empty.
  - Never restarts Redis, never sets a memory limit below what is in use, and refuses to begin without twice that much free disk space.
  - Works with Redis 6 and later, and with Valkey, on the host itself or in a container of it.
requirements:
  - redis-py >= 4.3 (Debian package C(python3-redis))
extends_documentation_fragment:
  - resto.golive.check
author:
  - Resto Golive (@resto-golive)
options:
  strategy:
    description:
      - What Redis is used for. Variable C(redis_strategy).
      - With V(queue) and V(session) nothing may be lost. With V(session) keys that never expire are a warning too.
      - With V(cache) everything may be lost, but a full memory must not refuse writes.
      - One instance for both a queue and a cache cannot be right, since eviction is a setting of the instance. Declare V(queue), and give the cache its own.
    type: str
    choices: [queue, session, cache]
    default: queue
  host:
    description: Where Redis listens, as seen from its own host. Variable C(redis_host).
    type: str
    default: 127.0.0.1
  port:
    description: Port of Redis. Variable C(redis_port).
    type: int
    default: 6379
  username:
    description:
      - ACL user to connect as. The default is Redis' own default user. Variable C(redis_username).
      - It needs C(+info) and C(+config|get), and for O(fix=true) also C(+config|set), C(+config|rewrite), C(+bgrewriteaof) and C(+bgsave).
    type: str
  password:
    description: Password. Variable C(redis_password), whose value is a name in the secret store.
    type: str
  tls:
    description: Connect with TLS. The certificate is verified. Variable C(redis_tls).
    type: bool
    default: false
  tls_ca_file:
    description: File with the CA to trust, on the host. The default is the system's. Variable C(redis_tls_ca_file).
    type: str
  memory_share_max:
    description:
      - The most that C(maxmemory) may be, as a share of the memory there is (the host's, or that of the control group Redis lives in if less).
      - The rest is for the copy that a fork makes while writing, for client buffers and for the neighbours.
      - Variable C(redis_persistence_memory_share_max).
    type: float
    default: 0.6
  maxmemory_mb:
    description:
      - What C(maxmemory) must be, in MiB. Variable C(redis_persistence_maxmemory_mb).
      - Left out, any limit within O(memory_share_max) is good. Where there is none, O(fix=true) sets a quarter of the memory, or twice what is in use if
        that is more.
    type: int
"""

EXAMPLES = r"""
- name: See whether Redis would survive a restart
  resto.golive.redis_persistence:

- name: Turn AOF on where it is off, without emptying Redis
  resto.golive.redis_persistence:
    strategy: queue
    fix: true

- name: A cache of its own, on another port
  resto.golive.redis_persistence:
    strategy: cache
    port: 6380
    maxmemory_mb: 256
    fix: true
"""

RETURN = r"""
golive:
  description: What was observed.
  returned: success
  type: dict
  contains:
    rows:
      description: One observation of the item C(redis.persistence).
      type: list
      elements: dict
      sample:
        - item: redis.persistence
          check: redis_persistence
          target: {kind: host, name: ""}
          status: pass
          reason: {code: redis_persistence.aof_on, params: {}}
          changes: ["CONFIG SET appendonly: 'no' -> 'yes'", "CONFIG REWRITE /etc/redis/redis.conf"]
    machine: {type: str, description: The host's machine id; evidence of a host that was rebuilt is stale.}
    clock: {type: str, description: "The host's clock when it was done, RFC 3339 in UTC."}
"""

from ansible_collections.resto.golive.plugins.module_utils._checks.redis.redis_persistence import RedisPersistence
from ansible_collections.resto.golive.plugins.module_utils._door import run_module


def main() -> None:
    run_module(RedisPersistence)


if __name__ == "__main__":
    main()

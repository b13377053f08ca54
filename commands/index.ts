import type { CommandTable } from '../src/cli/command.js';

/** The subcommands, in the order of the help. What is not asked for is not loaded. */
export const commands: CommandTable = {
  init: {
    summary: 'set up poolctl for a project: config, CI step and baseline',
    load: async () => (await import('./init.js')).command,
  },
  'audit-leaks': {
    summary: 'find leases that can escape their release, in source code',
    load: async () => (await import('./audit-leaks.js')).command,
  },
  loadtest: {
    summary: 'put a connection pool under load and judge it',
    load: async () => (await import('./loadtest.js')).command,
  },
  run: {
    summary: 'run an application with its connection pools watched',
    load: async () => (await import('./run.js')).command,
  },
  compare: {
    summary: 'compare two load tests, figure by figure',
    load: async () => (await import('./compare.js')).command,
  },
  top: {
    summary: 'watch pools, who holds their connections, and what blocks them',
    load: async () => (await import('./top.js')).command,
  },
  health: {
    summary: 'say whether pools are healthy, for scripts and container probes',
    load: async () => (await import('./health.js')).command,
  },
  doctor: {
    summary: 'check databases, poolers, pools and their settings, and say how to repair them',
    load: async () => (await import('./doctor.js')).command,
  },
  pgbouncer: {
    summary: 'write the configuration of PgBouncer, look into it, and steer it',
    commands: {
      init: {
        summary: 'write pgbouncer.ini and userlist.txt for a database',
        load: async () => (await import('./pgbouncer-init.js')).command,
      },
      show: {
        summary: 'show pools, clients, servers, settings and the like',
        load: async () => (await import('./pgbouncer-show.js')).command,
      },
      pause: {
        summary: 'pause for a while, and resume in any case',
        load: async () => (await import('./pgbouncer-admin.js')).pause,
      },
      resume: {
        summary: 'end a pause',
        load: async () => (await import('./pgbouncer-admin.js')).resume,
      },
      reload: {
        summary: 'read the configuration again, and check what was taken',
        load: async () => (await import('./pgbouncer-admin.js')).reload,
      },
      reconnect: {
        summary: 'replace each server connection as soon as it is free',
        load: async () => (await import('./pgbouncer-admin.js')).reconnect,
      },
      kill: {
        summary: 'drop all connections of a database',
        load: async () => (await import('./pgbouncer-admin.js')).kill,
      },
      disable: {
        summary: 'refuse new clients of a database',
        load: async () => (await import('./pgbouncer-admin.js')).disable,
      },
      enable: {
        summary: 'take new clients of a database again',
        load: async () => (await import('./pgbouncer-admin.js')).enable,
      },
      shutdown: {
        summary: 'end the pooler',
        load: async () => (await import('./pgbouncer-admin.js')).shutdown,
      },
    },
  },
  metrics: {
    summary: 'metrics for Prometheus, a dashboard for Grafana, and alerts',
    commands: {
      serve: {
        summary: 'give the figures of pools, PgBouncer and PostgreSQL to Prometheus',
        load: async () => (await import('./metrics-serve.js')).command,
      },
      dashboard: {
        summary: 'print a dashboard for Grafana',
        load: async () => (await import('./metrics-dashboard.js')).command,
      },
      alerts: {
        summary: 'print alerting rules for Prometheus',
        load: async () => (await import('./metrics-alerts.js')).command,
      },
    },
  },
  ib: {
    summary: 'broker connections (TWS): is a gateway usable, a simulated one, and a pool under stress',
    commands: {
      gateway: {
        summary: "simulate the broker's gateway (TWS), with faults to test clients against",
        load: async () => (await import('./ib-gateway.js')).command,
      },
      ping: {
        summary: 'tell in one line whether a gateway (TWS) is usable',
        load: async () => (await import('./ib-ping.js')).command,
      },
      stress: {
        summary: 'put broker connections through a trading day at its worst, and check what the gateway saw',
        load: async () => (await import('./ib-stress.js')).command,
      },
    },
  },
  ws: {
    summary: 'test subscriptions to WebSocket feeds',
    commands: {
      stress: {
        summary: 'break a WebSocket feed in every way, and check that no subscription is lost',
        load: async () => (await import('./ws-stress.js')).command,
      },
    },
  },
  completion: {
    summary: 'print a script that completes commands, options and values in a shell',
    load: async () => (await import('./completion.js')).command,
  },
};

// @ts-check
/**
 * The last measured comparison, from `docs/comparison/comparison.json`. Written by `static/measured.mjs`: do not edit.
 */

export const MEASURED = {
  "date": "2026-11-23",
  "commit": "3bd66ed00607",
  "machine": {
    "cpu": "AMD EPYC",
    "cores": 2
  },
  "clients": 1000,
  "rate": 10,
  "seconds": 3.5,
  "transports": {
    "websocket": {
      "events": 35478,
      "requests": 0,
      "connections": 1000,
      "missed": 0,
      "up": 0,
      "down": 3799629,
      "bytes_per_event": 107.09817351598174,
      "p50": 918,
      "p99": 9903,
      "cpu": 14782.479443698692
    },
    "sse": {
      "events": 35323,
      "requests": 0,
      "connections": 1000,
      "missed": 0,
      "up": 0,
      "down": 5117378,
      "bytes_per_event": 144.87382158933272,
      "p50": 934,
      "p99": 9951,
      "cpu": 15117.679477312251
    },
    "long_poll": {
      "events": 35431,
      "requests": 35251,
      "connections": 1000,
      "missed": 0,
      "up": 7050200,
      "down": 14827802,
      "bytes_per_event": 617.4819226101437,
      "p50": 1096,
      "p99": 3289,
      "cpu": 36248.79485091296
    },
    "short_poll": {
      "events": 35522,
      "requests": 3500,
      "connections": 1000,
      "missed": 0,
      "up": 735000,
      "down": 4806190,
      "bytes_per_event": 155.99318732053376,
      "p50": 500991,
      "p99": 990207,
      "cpu": 7536.292301509973
    }
  }
};

// @ts-check
/**
 * The last measured comparison, from `docs/comparison/comparison.json`. Written by `static/measured.mjs`: do not edit.
 */

export const MEASURED = {
  "date": "2026-11-27",
  "commit": "db5f0cd00985",
  "machine": {
    "cpu": "AMD EPYC",
    "cores": 2
  },
  "clients": 1000,
  "rate": 10,
  "seconds": 3.5,
  "transports": {
    "websocket": {
      "events": 35800,
      "requests": 0,
      "connections": 1000,
      "missed": 0,
      "up": 0,
      "down": 3833760,
      "bytes_per_event": 107.08826815642458,
      "p50": 857,
      "p99": 10279,
      "cpu": 12031.775243186394
    },
    "sse": {
      "events": 35860,
      "requests": 0,
      "connections": 1000,
      "missed": 0,
      "up": 0,
      "down": 5194920,
      "bytes_per_event": 144.86670384829895,
      "p50": 833,
      "p99": 11383,
      "cpu": 12986.43901445211
    },
    "long_poll": {
      "events": 35610,
      "requests": 26145,
      "connections": 1000,
      "missed": 0,
      "up": 5229000,
      "down": 11968700,
      "bytes_per_event": 482.945801741084,
      "p50": 32031,
      "p99": 77439,
      "cpu": 30799.23621193462
    },
    "short_poll": {
      "events": 35185,
      "requests": 3499,
      "connections": 1000,
      "missed": 0,
      "up": 734790,
      "down": 4772661,
      "bytes_per_event": 156.52837857041354,
      "p50": 500991,
      "p99": 991231,
      "cpu": 3250.6171504334347
    }
  }
};

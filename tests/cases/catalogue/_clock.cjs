// Makes what a worker sends the same in every run: the time stands still at 10:20 on the day of the visit, and what is
// random is not. Loaded before the worker; timers and everything else go on as usual.

const crypto = require('node:crypto')

const NOW = Date.UTC(2026, 2, 2, 10, 20)
const Real = Date

class Still extends Real {
  constructor(...parts) {
    super(...(parts.length === 0 ? [NOW] : parts))
  }
  static now() {
    return NOW
  }
}
// Dates are also made without `new`, which a class does not allow.
globalThis.Date = new Proxy(Still, { apply: () => new Still().toString() })

Math.random = () => 0.5
crypto.randomUUID = () => '00000000-0000-4000-8000-000000000000'
const filled = (bytes) => new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength).fill(1)
crypto.randomBytes = (size, done) => (done ? done(null, Buffer.alloc(size, 1)) : Buffer.alloc(size, 1))
crypto.randomFillSync = (bytes) => (filled(bytes), bytes)
globalThis.crypto.getRandomValues = (bytes) => (filled(bytes), bytes)
globalThis.crypto.randomUUID = crypto.randomUUID

// What the worker may not do: open connections of its own, unless it is the direct one, and outlive Headwater.

const { Worker } = require('node:worker_threads')

function refuse() {
  const error = new Error('This worker opens no connections of its own; every request leaves through Headwater.')
  error.code = 'DIRECT_CONNECTION'
  error.status = 501
  throw error
}

function closeSockets() {
  const net = require('node:net')
  const dns = require('node:dns')
  net.Socket.prototype.connect = refuse
  require('node:dgram').createSocket = refuse
  for (const name of Object.keys(dns)) if (/^(lookup|resolve|reverse)/.test(name)) dns[name] = refuse
  for (const name of Object.keys(dns.promises)) if (/^(lookup|resolve|reverse)/.test(name)) dns.promises[name] = refuse
  globalThis.fetch = async () => refuse()
}

// A thread of its own, since a destination that never yields would not hear that standard input has ended.
const WATCH = `
  setInterval(() => { if (process.ppid !== ${'PARENT'}) process.kill(process.pid, 'SIGKILL') }, 2000)
`

function watch(parent) {
  if (process.platform === 'win32' || !parent) return
  const limits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 }
  new Worker(WATCH.replace('PARENT', String(parent)), { eval: true, resourceLimits: limits, env: {} }).unref()
}

function confine(direct, parent) {
  if (!direct) closeSockets()
  watch(parent)
}

module.exports = { confine }

// Which call of Headwater's the running code belongs to, however deep in a destination, and how to end it.

const { AsyncLocalStorage } = require('node:async_hooks')

const current = new AsyncLocalStorage()
const running = new Map()

// Runs work as the call of that number. A call holds what it has under way (`aborts`), the last status it was
// answered, and while one of its events refreshes tokens, a promise of that turn's end.
async function within(id, milliseconds, work) {
  const call = { id, aborts: new Set(), status: 0, turn: null, ended: false }
  running.set(id, call)
  const alarm = setTimeout(() => end(id), milliseconds)
  try {
    return await current.run(call, () => work(call))
  } finally {
    clearTimeout(alarm)
    running.delete(id)
  }
}

// Aborts what a call has under way, and all that it still begins.
function end(id) {
  const call = running.get(id)
  if (!call) return
  call.ended = true
  for (const abort of call.aborts) abort()
}

module.exports = { current: () => current.getStore(), end, count: () => running.size, within }

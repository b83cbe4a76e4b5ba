// The worker: performs destinations for Headwater, which asks through standard input and lets it end by closing that.
// `worker.cjs manifest FOLDER` writes what there is to perform instead.

const catalogue = require('./catalogue')
const wire = require('./wire')

// Destinations print what may be somebody's data.
for (const name of ['debug', 'dir', 'error', 'group', 'info', 'log', 'table', 'trace', 'warn']) console[name] = () => {}

function serve() {
  const calls = require('./calls')
  const { ask } = require('./ask')
  const { deliver } = require('./deliver')

  async function perform(frame) {
    const answer = await calls.within(frame.id, frame.deadline_ms, (call) => deliver(frame, call))
    wire.send({ t: 'result', id: frame.id, n: frame.events.length, ...answer })
  }

  async function reply(frame) {
    const answer = await calls.within(frame.id, frame.deadline_ms, (call) => ask(frame, call))
    wire.send({ t: 'result', id: frame.id, ...answer })
  }

  const TAKE = {
    deliver: perform,
    rpc: reply,
    fetched: wire.answered,
    locked: wire.answered,
    saved: wire.answered,
    cancel: (frame) => calls.end(frame.id),
    ping: (frame) => wire.send({ t: 'pong', id: frame.id, rss: process.memoryUsage.rss(), inflight: calls.count() })
  }
  wire.listen(
    (frame) => TAKE[frame.t]?.(frame),
    () => process.exit(0)
  )
  // A promise that a destination left alone must not end the calls of all others.
  process.on('unhandledRejection', (error) => wire.send({ t: 'log', level: 'debug', m: String(error?.name) }))
  process.on('uncaughtException', (error) => {
    const where = String(error?.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
    wire.lastWords({ t: 'log', level: 'error', m: `${error?.name} ${where.slice(0, 3).join(' ')}` })
    process.exit(70)
  })
  const n = Object.keys(catalogue.registered).length
  wire.send({ t: 'ready', proto: 1, node: process.version, bundle: catalogue.version, n })
}

const [, , word, ...rest] = process.argv
if (word === 'manifest') require('./manifest').write(rest[0])
else {
  require('./confine').confine(word === 'direct', Number(rest[0]))
  serve()
}

// Loaded into a worker before its own program: does what the text of an event asks for, as a destination's bug would.

const parse = JSON.parse
const kept = []

const ROGUE = {
  'rogue:die': () => process.kill(process.pid, 'SIGKILL'),
  'rogue:exit': () => process.exit(3),
  'rogue:throw': () =>
    setImmediate(() => {
      throw new TypeError("somebody's data")
    }),
  'rogue:reject': () => void Promise.reject(new Error("somebody's data")),
  'rogue:hang': () => { for (;;); },
  'rogue:grow': () => kept.push(Buffer.alloc(200_000_000, 1)),
  'rogue:print': () => {
    process.stdout.write('this is no frame\n')
    console.log('nor is this', { t: 'ready' })
    require('node:fs').writeSync(1, 'past all that\n{"t":"pong"}\n')
  },
  // Notices when the core copies tags that another event has left.
  'rogue:tags': () => {
    const iterate = Array.prototype[Symbol.iterator]
    Array.prototype[Symbol.iterator] = function () {
      if (String(this[1]).startsWith('partnerAction:')) require('node:fs').writeFileSync(process.env.ROGUE_NOTE, '')
      return iterate.call(this)
    }
  },
  'rogue:connect': () => {
    try {
      require('node:net').connect(80, '127.0.0.1')
      kept.push('connected')
    } catch (error) {
      require('node:fs').writeFileSync(process.env.ROGUE_NOTE, String(error.code))
    }
  },
  'rogue:look': () => require('node:fs').writeFileSync(process.env.ROGUE_NOTE, JSON.stringify(process.env))
}

JSON.parse = (text, ...rest) => {
  const found = /rogue:[a-z]+/.exec(String(text))
  if (found) ROGUE[found[0]]()
  return parse(text, ...rest)
}

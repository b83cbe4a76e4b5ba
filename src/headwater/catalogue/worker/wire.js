// The pipe to Headwater: one JSON object a line each way. What is asked gets its answer by the number it bears.

const MOST_BYTES = 16_000_000

// Whatever else writes to standard output must not get between the frames.
const write = process.stdout.write.bind(process.stdout)
process.stdout.write = (_chunk, encoding, done) => {
  const told = typeof encoding === 'function' ? encoding : done
  if (told) process.nextTick(told)
  return true
}

let lines = []
function flush() {
  const together = lines.join('')
  lines = []
  write(together)
}

// Frames of one turn of the loop leave together.
function send(frame) {
  const line = JSON.stringify(frame) + '\n'
  if (line.length > MOST_BYTES && frame.t !== 'result') throw new TypeError('The request is larger than 16 MB.')
  if (lines.push(line) === 1) setImmediate(flush)
}

const waiting = new Map()
let last = 0

// Sends a frame and returns its number and a promise of the answer.
function ask(frame) {
  const id = ++last
  send({ ...frame, id })
  return { id, answer: new Promise((resolve) => waiting.set(id, resolve)) }
}

function answered(frame) {
  const resolve = waiting.get(frame.id)
  waiting.delete(frame.id)
  resolve?.(frame)
}

function forget(id) {
  waiting.delete(id)
}

// Calls `take` with each frame that comes in, and `ended` when Headwater is gone.
function listen(take, ended) {
  let parts = []
  process.stdin.on('data', (chunk) => {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, end))
      take(JSON.parse(parts.length === 1 ? parts[0] : Buffer.concat(parts)))
      parts = []
      from = end + 1
    }
    if (from < chunk.length) parts.push(chunk.subarray(from))
  })
  process.stdin.on('end', ended)
  process.stdin.on('error', ended)
}

// Sends a last frame at once.
function lastWords(frame) {
  send(frame)
  flush()
}

module.exports = { answered, ask, forget, lastWords, listen, send }

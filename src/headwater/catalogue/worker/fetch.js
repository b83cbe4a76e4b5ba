// What destinations take for cross-fetch: the same classes, but every request leaves through Headwater.

const { isUtf8 } = require('node:buffer')
const { STATUS_CODES } = require('node:http')
const zlib = require('node:zlib')
const { AbortError, FetchError, Headers, Request, Response } = require('node-fetch')
const calls = require('./calls')
const wire = require('./wire')

const MOST_BYTES = 16_000_000
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const BODILESS = new Set([101, 204, 205, 304])
// These describe a connection, which is Headwater's.
const DROPPED = new Set(['connection', 'content-length', 'transfer-encoding', 'keep-alive', 'host'])
const UNZIP = { gzip: zlib.gunzipSync, deflate: zlib.inflateSync, br: zlib.brotliDecompressSync }

function packed(bytes) {
  if (isUtf8(bytes)) return { body: bytes.toString(), b64: false }
  return { body: bytes.toString('base64'), b64: true }
}

function unpacked(frame, headers) {
  const bytes = Buffer.from(frame.body, frame.b64 ? 'base64' : 'utf8')
  const unzip = UNZIP[headers['content-encoding']]
  if (!unzip || bytes.length === 0) return bytes
  delete headers['content-encoding']
  return unzip(bytes, { maxOutputLength: MOST_BYTES })
}

function sent(headers) {
  const pairs = Object.entries(headers.raw()).filter(([name]) => !DROPPED.has(name.toLowerCase()))
  return pairs.map(([name, values]) => [name, values.join(', ')])
}

function silence(url, error) {
  const failure = new FetchError(`request to ${url} failed, reason: ${error.message}`, 'system', { code: error.code })
  failure.message = error.message
  return failure
}

function response(request, frame) {
  const { status } = frame
  if (REDIRECTS.has(status) && request.redirect === 'error') {
    throw new FetchError('a redirect was answered where none is allowed', 'no-redirect')
  }
  const headers = Object.fromEntries(frame.headers)
  const body = BODILESS.has(status) ? null : unpacked(frame, headers)
  return new Response(body, { status, statusText: STATUS_CODES[status] ?? '', headers, url: request.url })
}

// Waits for an answer, and tells Headwater when it is no longer awaited.
function awaited({ id, answer }, signal, aborts) {
  return new Promise((resolve, reject) => {
    const abort = () => {
      settle()
      wire.forget(id)
      wire.send({ t: 'fetch.cancel', id })
      reject(new AbortError('The user aborted a request.'))
    }
    const settle = () => {
      aborts?.delete(abort)
      signal?.removeEventListener('abort', abort)
    }
    aborts?.add(abort)
    signal?.addEventListener('abort', abort)
    answer.then((frame) => {
      settle()
      resolve(frame)
    })
  })
}

async function fetch(input, init) {
  const url = typeof input === 'string' && input.startsWith('//') ? `https:${input}` : input
  const request = url instanceof Request && !init ? url : new Request(url, init)
  const call = calls.current()
  if (request.signal?.aborted || call?.ended) throw new AbortError('The user aborted a request.')
  const asked = wire.ask({
    t: 'fetch',
    d: call?.id ?? 0,
    method: request.method,
    url: request.url,
    headers: sent(request.headers),
    ...packed(await request.buffer()),
    timeout_ms: request.timeout || 0,
    redirect: request.redirect
  })
  const frame = await awaited(asked, request.signal, call?.aborts)
  if (frame.error) throw silence(request.url, frame.error)
  if (call) call.status = frame.status
  return response(request, frame)
}

fetch.ponyfill = true
module.exports = Object.assign(fetch, { default: fetch, fetch, Headers, Request, Response })

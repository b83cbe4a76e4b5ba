// What an end of a call means: ok, skipped, retry, auth or permanent (the classes of the wire).

const AGAIN = new Set([408, 423, 429])
const NETWORK = new Set([
  'ENOTFOUND',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EREFUSED',
  'EPIPE'
])
const SILENT = new Set(['FetchError', 'AbortError', 'TimeoutError', 'RequestClientError', 'RequestTimeoutError'])
// Thrown by the language itself: a bug. A plain Error is what a destination refuses with.
const BUGS = new Set(['TypeError', 'ReferenceError', 'RangeError', 'SyntaxError', 'URIError', 'EvalError'])
const INVALID = new Set(['AggregateAjvError', 'ValidationError'])
const MOST_CHARACTERS = 2_000

// An end that Headwater's own code comes to.
class Refusal extends Error {
  constructor(code, message, status = 400) {
    super(message)
    this.name = 'Refusal'
    this.code = code
    this.status = status
  }
}

function byStatus(status) {
  if (status >= 200 && status < 300) return 'ok'
  if (AGAIN.has(status) || (status >= 500 && status !== 501)) return 'retry'
  if (status === 401 || status === 403) return 'auth'
  return 'permanent'
}

function text(value) {
  if (value === undefined || value === null) return ''
  return (typeof value === 'string' ? value : JSON.stringify(value) ?? '').slice(0, MOST_CHARACTERS)
}

// Seconds that an answer asks to wait, or null.
function retryAfter(headers) {
  const said = headers?.get?.('retry-after')
  if (!said) return null
  const seconds = /^\d+$/.test(said.trim()) ? Number(said) : (Date.parse(said) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(seconds, 0) : null
}

function thrown(error) {
  if (error?.name === 'NotRefreshed') {
    const judged = thrown(error.cause)
    return judged.cls === 'retry' ? judged : { ...judged, cls: 'auth', code: 'OAUTH_REFRESH_FAILED' }
  }
  const name = error?.name ?? ''
  const status = Number(error?.status ?? error?.response?.status ?? (INVALID.has(name) ? 400 : 0)) || 0
  const silent = NETWORK.has(error?.code) || SILENT.has(name)
  const judged = {
    cls: status ? byStatus(status) : silent ? 'retry' : 'permanent',
    status,
    name,
    code: text(error?.code) || (!status && BUGS.has(name) ? 'CRASH' : ''),
    message: text(error?.message ?? error),
    retry_after: retryAfter(error?.response?.headers),
    body: text(error?.response?.content)
  }
  // What was thrown did not succeed, whatever status it bears.
  if (judged.cls === 'ok') judged.cls = 'permanent'
  return judged
}

// One item of a batch, as the destination reported it.
function item(reported) {
  if (!reported) return { cls: 'retry', status: 500, message: 'The destination reported nothing for this event.' }
  const status = Number(reported.status) || 500
  const cls = byStatus(status)
  if (cls === 'ok') return { cls, status }
  const body = reported.errormessage ? '' : text(reported.body)
  return { cls, status, code: text(reported.errortype), message: text(reported.errormessage), body }
}

module.exports = { Refusal, item, text, thrown }
